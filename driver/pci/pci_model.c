// SPDX-License-Identifier: GPL-2.0-only
#include <linux/sysfs.h>

#include "pci_model.h"

static u64 synthetic_state_bytes(struct miglab_device *m, const struct miglab_pci_choice *choice)
{
	return choice->state_bytes;
}

const struct miglab_pci_model miglab_pci_synthetic = {
	.ops = &miglab_model_synthetic,
	.state_bytes = synthetic_state_bytes,
};

static const struct miglab_pci_model *const models[] = {
	&miglab_pci_bar,
	&miglab_pci_synthetic,
	&miglab_pci_edu,
};

/* Is @text @model's name, and which BAR does it want? -1: it does not say. */
static bool is_text_of(const struct miglab_pci_model *model, const char *text, int *ret_bar)
{
	size_t len = strlen(model->ops->name);

	*ret_bar = -1;
	if (sysfs_streq(text, model->ops->name))
		return true;
	if (!model->takes_bar || strncmp(text, model->ops->name, len) || text[len] != ':')
		return false;
	return !kstrtoint(text + len + 1, 10, ret_bar) && *ret_bar >= 0 &&
	       *ret_bar < PCI_STD_NUM_BARS;
}

int miglab_model_parse(const char *text, struct miglab_pci_choice *ret_choice)
{
	size_t i;
	int bar;

	for (i = 0; i < ARRAY_SIZE(models); i++) {
		if (!is_text_of(models[i], text, &bar))
			continue;
		ret_choice->model = models[i];
		ret_choice->bar = bar;
		return 0;
	}
	return -EINVAL;
}

void miglab_model_text(const struct miglab_pci_choice *choice, char ret_text[MIGLAB_MODEL_TEXT])
{
	if (choice->bar < 0)
		strscpy(ret_text, choice->model->ops->name, MIGLAB_MODEL_TEXT);
	else
		snprintf(ret_text, MIGLAB_MODEL_TEXT, "%s:%d", choice->model->ops->name,
			 choice->bar);
}

int miglab_model_fits(struct pci_dev *pdev, const struct miglab_pci_choice *choice)
{
	char text[MIGLAB_MODEL_TEXT];
	const char *why;
	int ret;

	ret = choice->model->fits ? choice->model->fits(pdev, choice, &why) : 0;
	if (!ret)
		return 0;
	miglab_model_text(choice, text);
	dev_notice(&pdev->dev, "the model %s does not fit: %s\n", text, why);
	return ret;
}

void miglab_model_announce(struct pci_dev *pdev, const struct miglab_pci_choice *choice)
{
	dev_info(&pdev->dev, "for tests only: %s\n", choice->model->ops->notice);
}
