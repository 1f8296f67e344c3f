// SPDX-License-Identifier: GPL-2.0-only
#include <linux/sysfs.h>

#include "device.h"
#include "model.h"

static const struct miglab_model_ops *const models[] = {
	&miglab_model_synthetic,
	&miglab_model_edu,
};

const struct miglab_model_ops *miglab_model_find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(models); i++)
		if (sysfs_streq(name, models[i]->name))
			return models[i];
	return NULL;
}

int miglab_model_fits(struct pci_dev *pdev, const struct miglab_config *config)
{
	const struct miglab_model_ops *model = config->model;
	const char *why;
	int ret;

	ret = model->fits ? model->fits(pdev, config, &why) : 0;
	if (ret)
		dev_notice(&pdev->dev, "the model %s does not fit: %s\n", model->name, why);
	return ret;
}

void miglab_model_announce(struct pci_dev *pdev, const struct miglab_config *config)
{
	dev_info(&pdev->dev, "for tests only: %s\n", config->model->notice);
}
