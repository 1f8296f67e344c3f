// SPDX-License-Identifier: GPL-2.0-only
#include <linux/sysfs.h>

#include "device.h"
#include "model.h"

static const struct miglab_model_ops *const models[] = {
	&miglab_model_bar,
	&miglab_model_synthetic,
	&miglab_model_edu,
};

/* Is @text @model's name, and which BAR does it want? -1: it does not say. */
static bool is_text_of(const struct miglab_model_ops *model, const char *text, int *ret_bar)
{
	size_t len = strlen(model->name);

	*ret_bar = -1;
	if (sysfs_streq(text, model->name))
		return true;
	if (!model->takes_bar || strncmp(text, model->name, len) || text[len] != ':')
		return false;
	return !kstrtoint(text + len + 1, 10, ret_bar) && *ret_bar >= 0 &&
	       *ret_bar < PCI_STD_NUM_BARS;
}

int miglab_model_parse(const char *text, struct miglab_config *ret_config)
{
	size_t i;
	int bar;

	for (i = 0; i < ARRAY_SIZE(models); i++) {
		if (!is_text_of(models[i], text, &bar))
			continue;
		ret_config->model = models[i];
		ret_config->bar = bar;
		return 0;
	}
	return -EINVAL;
}

void miglab_model_text(const struct miglab_config *config, char ret_text[MIGLAB_MODEL_TEXT])
{
	if (config->bar < 0)
		strscpy(ret_text, config->model->name, MIGLAB_MODEL_TEXT);
	else
		snprintf(ret_text, MIGLAB_MODEL_TEXT, "%s:%d", config->model->name, config->bar);
}

int miglab_model_fits(struct pci_dev *pdev, const struct miglab_config *config)
{
	char text[MIGLAB_MODEL_TEXT];
	const char *why;
	int ret;

	ret = config->model->fits ? config->model->fits(pdev, config, &why) : 0;
	if (!ret)
		return 0;
	miglab_model_text(config, text);
	dev_notice(&pdev->dev, "the model %s does not fit: %s\n", text, why);
	return ret;
}

void miglab_model_announce(struct pci_dev *pdev, const struct miglab_config *config)
{
	dev_info(&pdev->dev, "for tests only: %s\n", config->model->notice);
}
