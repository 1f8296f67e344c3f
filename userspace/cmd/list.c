// SPDX-License-Identifier: GPL-2.0-only
/* miglab list: options of device/list.h. */
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "device/list.h"

static const char usage[] =
	"Usage: miglab list [--json]\n"
	"\n"
	"Shows each PCI function with its driver and IOMMU group, and says whether it can\n"
	"migrate: yes, no, or unknown until it is opened; and why.\n"
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

		printf("%-13s %04lx:%04lx %06lx %-5s %-16s %-10s %s\n", f->bdf, f->vendor,
		       f->device, f->class, f->group, f->driver, migratable_names[f->migratable],
		       f->why);
	}
}

static void add_hex(struct json_object *object, const char *key, int digits, unsigned long value)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%0*lx", digits, value);
	json_object_object_add(object, key, json_object_new_string(text));
}

static void print_json(const struct pci_function *functions, size_t count)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < count; i++) {
		const struct pci_function *f = &functions[i];
		struct json_object *object = json_object_new_object();

		json_object_object_add(object, "bdf", json_object_new_string(f->bdf));
		add_hex(object, "vendor", 4, f->vendor);
		add_hex(object, "device", 4, f->device);
		add_hex(object, "class", 6, f->class);
		json_object_object_add(object, "iommu_group", json_object_new_string(f->group));
		json_object_object_add(object, "driver", json_object_new_string(f->driver));
		json_object_object_add(object, "migratable",
				       json_object_new_string(migratable_names[f->migratable]));
		json_object_object_add(object, "why", json_object_new_string(f->why));
		json_object_array_add(array, object);
	}
	puts(json_object_to_json_string_ext(array, JSON_C_TO_STRING_PRETTY));
	json_object_put(array);
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
	ret = list_functions(&functions, &count, &err);
	if (ret) {
		log_error("list: %s", err.text);
		return cmd_status(ret);
	}
	(json ? print_json : print_text)(functions, count);
	free(functions);
	return 0;
}

const struct command command_list = {
	.name = "list",
	.args = "[--json]",
	.what = "PCI functions, their drivers, whether and why (not) migratable",
	.usage = usage,
	.options = options,
	.operands = 0,
	.run = run_list,
};
