/* fuzz_main.c - runs a fuzz target over files and folders of files: what was found stays found, with every
 * compiler and sanitizer. An input that takes more than a minute is a failure too.
 *
 * A name says what is expected: the target takes "good-..." for good and refuses "bad-...". */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECONDS_AN_INPUT = 60 };

static int n_run, n_wrong;

static void run_file(const char *path, const char *name)
{
    FILE *const file = fopen(path, "rb");
    struct stat info;
    fuzz_expect(file && fstat(fileno(file), &info) == 0, "cannot read %s", path);
    const size_t n = (size_t)info.st_size;
    uint8_t *const bytes = malloc(n + !n); /* of just this size, so that a sanitizer sees its end */
    fuzz_expect(bytes && fread(bytes, 1, n, file) == n, "cannot read %s", path);
    fclose(file);
    printf("%s\n", path);
    fflush(stdout);
    alarm(SECONDS_AN_INPUT);
    LLVMFuzzerTestOneInput(bytes, n);
    alarm(0);
    free(bytes);
    n_run++;
    if ((strncmp(name, "good-", 5) == 0 && !fuzz_accepted) ||
        (strncmp(name, "bad-", 4) == 0 && fuzz_accepted)) {
        printf("%s: was %s\n", path, fuzz_accepted ? "accepted" : "refused");
        n_wrong++;
    }
}

static void run_folder(const char *folder)
{
    struct dirent **entries;
    const int n = scandir(folder, &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char path[1024];
        struct stat info;
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (stat(path, &info) == 0 && S_ISREG(info.st_mode))
            run_file(path, entries[i]->d_name);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct stat info;
        fuzz_expect(stat(argv[i], &info) == 0, "there is no %s", argv[i]);
        if (S_ISDIR(info.st_mode)) {
            run_folder(argv[i]);
        } else {
            const char *const slash = strrchr(argv[i], '/');
            run_file(argv[i], slash ? slash + 1 : argv[i]);
        }
    }
    printf("%d inputs, %d not as their names say\n", n_run, n_wrong);
    return n_run == 0 || n_wrong > 0;
}
