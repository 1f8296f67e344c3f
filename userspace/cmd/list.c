// SPDX-License-Identifier: GPL-2.0-only
/* miglab list: options of device/list.h. */
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "device/kernel.h"
#include "device/list.h"

static const char usage[] =
	"Usage: miglab list [--json] [BDF|UUID..]\n"
	"\n"
	"Shows each PCI function and mediated device, or those named, with its driver and\n"
	"IOMMU group, and says whether it can migrate: yes, no, or unknown until it is opened;\n"
	"and why.\n"
	"\n"
	"  --json   an array of objects\n";

static const struct option options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ }
};

static const char *const migratable_names[] = {
	[MIGRATABLE_NO] = "no",
	[MIGRATABLE_YES] = "yes",
	[MIGRATABLE_UNKNOWN] = "unknown",
};

static void print_text(const struct pci_function *functions, size_t count)
{
	printf("%-13s %-9s %-6s %-5s %-16s %-10s %s\n", "BDF", "ID", "CLASS", "GROUP", "DRIVER",
	       "MIGRATABLE", "WHY");
	for (size_t i = 0; i < count; i++) {
		const struct pci_function *f = &functions[i];

		/* Only who opens a mediated device can ask what it is. */
		if (pci_is_mdev(f->bdf))
			printf("%-13s %-9s %-6s ", f->bdf, "-", "-");
		else
			printf("%-13s %04lx:%04lx %06lx ", f->bdf, f->vendor, f->device, f->class);
		printf("%-5s %-16s %-10s %s\n", f->group, f->driver,
		       migratable_names[f->migratable], f->why);
	}
}

static void add_hex(struct json_object *object, const char *key, int digits, unsigned long value)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%0*lx", digits, value);
	json_object_object_add(object, key, json_object_new_string(text));
}

/* What is only known of a function that is bound to our driver. */
static void add_ours(struct json_object *object, const struct pci_function *f)
{
	if (!*f->profile)
		return;
	json_object_object_add(object, "profile", json_object_new_string(f->profile));
	json_object_object_add(object, "model", json_object_new_string(f->model));
	json_object_object_add(object, "state", json_object_new_string(f->state));
}

static void print_json(const struct pci_function *functions, size_t count)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < count; i++) {
		const struct pci_function *f = &functions[i];
		struct json_object *object = json_object_new_object();

		json_object_object_add(object, "bdf", json_object_new_string(f->bdf));
		if (!pci_is_mdev(f->bdf)) {
			add_hex(object, "vendor", 4, f->vendor);
			add_hex(object, "device", 4, f->device);
			add_hex(object, "class", 6, f->class);
		}
		json_object_object_add(object, "iommu_group", json_object_new_string(f->group));
		json_object_object_add(object, "driver", json_object_new_string(f->driver));
		json_object_object_add(object, "migratable",
				       json_object_new_string(migratable_names[f->migratable]));
		add_ours(object, f);
		json_object_object_add(object, "why", json_object_new_string(f->why));
		json_object_array_add(array, object);
	}
	puts(json_object_to_json_string_ext(array, JSON_C_TO_STRING_PRETTY));
	json_object_put(array);
}

/* Those of the @count addresses, or all; an array that the caller frees. */
static int list(char **addresses, size_t count, struct pci_function **ret_functions,
		size_t *ret_count, struct error *err)
{
	struct pci_function *functions;
	int ret = 0;

	if (!count)
		return list_functions(ret_functions, ret_count, err);
	functions = calloc(count, sizeof(*functions));
	if (!functions)
		return error_set(err, -ENOMEM, "no memory for %zu functions", count);
	for (size_t i = 0; !ret && i < count; i++)
		ret = list_function(addresses[i], &functions[i], err);
	if (ret) {
		free(functions);
		return ret;
	}
	*ret_functions = functions;
	*ret_count = count;
	return 0;
}

static int run_list(int argc, char **argv)
{
	struct pci_function *functions;
	bool json = false;
	struct error err;
	size_t count;
	int ret;

	while (cmd_option(argc, argv, NULL) != -1)
		json = true;
	ret = list(argv + optind, argc - optind, &functions, &count, &err);
	if (ret) {
		log_error("list: %s", err.text);
		return cmd_status(ret);
	}
	(json ? print_json : print_text)(functions, count);
	free(functions);
	if (!kernel_is_safe(&err))
		log_warn("list: %s", err.text);
	return 0;
}

const struct command command_list = {
	.name = "list",
	.args = "[--json] [BDF|UUID..]",
	.what = "PCI functions, their drivers, whether and why (not) migratable",
	.usage = usage,
	.options = options,
	.operands = OPERANDS_ANY,
	.run = run_list,
};
