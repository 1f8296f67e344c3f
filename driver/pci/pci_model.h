/* SPDX-License-Identifier: GPL-2.0-only */
/* A model of a PCI function: what it is as a model, and how it gets at the function. */
#ifndef MIGLAB_PCI_MODEL_H
#define MIGLAB_PCI_MODEL_H

#include <linux/mm_types.h>
#include <linux/pci.h>

#include "model.h"

struct miglab_pci_model;

/* What the user chose. */
struct miglab_pci_choice {
	const struct miglab_pci_model *model;
	int bar;		/* the one that the user names to a model that takes one, or -1 */
	u64 state_bytes;	/* of the synthetic model */
};

struct miglab_pci_model {
	const struct miglab_model_ops *ops;
	bool takes_bar;		/* the name may be followed by ":N", for choice->bar */
	bool reports_dma;	/* miglab_dirty_dma() is told of all that the function writes */

	/**
	 * @fits: can the model migrate this function?
	 *
	 * Before probe() registers the device, and before the attribute is changed;
	 * looks at ids and resources only, since another user may have the device open.
	 * Returns 0, or -ENODEV with why not in @ret_why, as the end of a sentence.
	 */
	int (*fits)(struct pci_dev *pdev, const struct miglab_pci_choice *choice,
		    const char **ret_why);

	/*
	 * @state_bytes: the size of the state, a multiple of MIGLAB_PAGE that stays while
	 * the device is open. Called by open(), after vfio_pci_core_enable().
	 */
	u64 (*state_bytes)(struct miglab_device *m, const struct miglab_pci_choice *choice);

	/**
	 * @open: the device is being opened
	 *
	 * Between vfio_pci_core_enable() and vfio_pci_core_finish_enable(). Makes
	 * m->model_data, and sets bars: a bit for each BAR whose read(), write() and
	 * mmap() are the model's from now on; with any, no BAR takes an ioeventfd. No locks are
	 * held. @choice is that of state_bytes(). Returns 0 or an error that fails the
	 * open; then close() is not called.
	 */
	int (*open)(struct miglab_device *m, const struct miglab_pci_choice *choice);

	/*
	 * @close: undoes open(), before the device is disabled. No SET, no read() of a data_fd
	 * and no access by the user reaches the model any more. May sleep.
	 */
	void (*close)(struct miglab_device *m);

	/**
	 * @rw: read() and write() of a BAR in bars
	 *
	 * As vfio_pci_core_read() and its twin: *ppos has the index and the offset, and
	 * moves by what is returned. The function is powered. No lock is held.
	 */
	ssize_t (*rw)(struct miglab_device *m, char __user *buf, size_t count, loff_t *ppos,
		      bool write);

	/* @mmap: mmap() of a BAR in bars; NULL: cannot be mapped, and says so. */
	int (*mmap)(struct miglab_device *m, struct vm_area_struct *vma);
};

extern const struct miglab_pci_model miglab_pci_bar, miglab_pci_edu, miglab_pci_synthetic;

/*
 * Puts the model of that text, "NAME" or "NAME:N", into @ret_choice; a trailing newline is
 * ignored. Returns 0, or -EINVAL for a text that means none, with @ret_choice untouched.
 */
int miglab_model_parse(const char *text, struct miglab_pci_choice *ret_choice);

/* The text of @choice->model, as miglab_model_parse() reads it. */
void miglab_model_text(const struct miglab_pci_choice *choice, char ret_text[MIGLAB_MODEL_TEXT]);

/*
 * Somebody has written the page at the physical address @at, which may be in a BAR whose
 * contents migrate. No locks are held. In bar.c.
 */
void miglab_bar_written(phys_addr_t at);

/*
 * Does @choice->model fit the function? Returns 0, or -ENODEV, and the log has a sentence
 * that says why not.
 */
int miglab_model_fits(struct pci_dev *pdev, const struct miglab_pci_choice *choice);

/*
 * Says in the log what a user of @choice->model must know.
 */
void miglab_model_announce(struct pci_dev *pdev, const struct miglab_pci_choice *choice);

#endif
