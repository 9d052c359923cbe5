/* picture_files.h - small pictures that tests write themselves. Include after cmocka.h. */
#ifndef FV_TESTS_PICTURE_FILES_H
#define FV_TESTS_PICTURE_FILES_H

#include "scratch.h"

/* A folder below the scratch folder. */
static inline void make_folder(scratch *s, const char *name)
{
    assert_int_equal(mkdir(scratch_path(s, name), 0777), 0);
}

/* P5 or P6: every pixel of channel k is value + k. */
static inline const char *write_flat(scratch *s, const char *name, int c, int h, int w, int value)
{
    uint8_t bytes[4096];
    const int header = snprintf((char *)bytes, 64, "P%c\n%d %d\n255\n", c == 3 ? '6' : '5', w, h);
    const int n = c * h * w;
    assert_in_range(n, 1, 4000);
    for (int i = 0; i < n; i++)
        bytes[header + i] = (uint8_t)(value + i % c);
    return scratch_file(s, name, bytes, (size_t)(header + n));
}

/* FOLDER/CLASS/0.pgm ...: n pictures of 1 x h x w, of values first, first + 1, ... */
static inline void write_class(scratch *s, const char *folder, const char *class, int n, int h, int w,
                               int first)
{
    char name[128];
    snprintf(name, sizeof name, "%s/%s", folder, class);
    make_folder(s, name);
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%s/%s/%d.pgm", folder, class, i);
        write_flat(s, name, 1, h, w, first + i);
    }
}

#endif
