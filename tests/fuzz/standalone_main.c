/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target without libFuzzer: on the files named, else on 20000
 * pseudo-random inputs. A crash or a sanitizer report is the failure.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
	static uint8_t buf[1 << 20];
	FILE *f = fopen(path, "rb");
	size_t n;

	if (!f) {
		perror(path);
		return 1;
	}
	n = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	LLVMFuzzerTestOneInput(buf, n);
	return 0;
}

static void run_random(unsigned count)
{
	static uint8_t buf[4096];
	uint64_t s = 0x853c49e6748fea9bULL;

	for (unsigned i = 0; i < count; i++) {
		size_t n = i % 7 ? i % 96 : i % sizeof(buf);

		for (size_t k = 0; k < n; k++) {
			s = s * 6364136223846793005ULL + 1442695040888963407ULL;
			buf[k] = s >> 56;
		}
		LLVMFuzzerTestOneInput(buf, n);
	}
}

int main(int argc, char **argv)
{
	int bad = 0;

	for (int i = 1; i < argc; i++)
		bad |= run_file(argv[i]);
	if (argc == 1)
		run_random(20000);
	printf("%sok 1 - inputs\n1..1\n", bad ? "not " : "");
	return bad;
}
