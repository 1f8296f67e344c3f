// SPDX-License-Identifier: GPL-2.0-only
/*
 * A fuzz target without a fuzzer: `replay-NAME` gives the target NAME each file of its
 * corpus, `replay-NAME FILE..` these. TAP, a row for each file; a property that does not
 * hold aborts. To be run from the root of the tree.
 */
#include "fuzz.h"

#include <errno.h>
#include <glob.h>
#include <sys/stat.h>

/* The target gets memory of just the input's size, so that a read beyond it is noticed. */
static int replay(const char *path)
{
	FILE *file = fopen(path, "r");
	struct stat st;
	uint8_t *data;
	size_t size;

	if (!file || fstat(fileno(file), &st)) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	size = (size_t)st.st_size;
	data = malloc(size ? size : 1);
	if (!data || fread(data, 1, size, file) != size) {
		fprintf(stderr, "%s: cannot be read\n", path);
		return -1;
	}
	fclose(file);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 0;
}

static int replay_all(char **paths, size_t count)
{
	int failed = 0;

	printf("1..%zu\n", count);
	for (size_t i = 0; i < count; i++) {
		int ret = replay(paths[i]);

		failed |= ret;
		printf("%s %zu - %s\n", ret ? "not ok" : "ok", i + 1, paths[i]);
		fflush(stdout);
	}
	return failed ? 1 : 0;
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '-');
	char pattern[64];
	glob_t found;
	int status;

	if (argc > 1)
		return replay_all(argv + 1, (size_t)argc - 1);
	snprintf(pattern, sizeof(pattern), "tests/fuzz/corpus/%s/*", name ? name + 1 : "");
	if (glob(pattern, 0, NULL, &found)) {
		printf("not ok 1 - no input at %s\n", pattern);
		return 1;
	}
	status = replay_all(found.gl_pathv, found.gl_pathc);
	globfree(&found);
	return status;
}
