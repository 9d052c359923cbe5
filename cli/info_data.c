/* info_data.c - fovea info on a data set: sizes, images per class, the first image of each class drawn. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "layout.h"
#include "output.h"

#define MAX_CLASSES 256
#define MAX_DRAWN   10

static void count(const fv_data *data, int n, int counts[MAX_CLASSES], int firsts[MAX_CLASSES])
{
    memset(counts, 0, MAX_CLASSES * sizeof counts[0]);
    for (int i = 0; i < n; i++) {
        const int label = fv_data_label(data, i);
        if (label < 0 || label >= MAX_CLASSES)
            continue;
        if (counts[label]++ == 0)
            firsts[label] = i;
    }
}

static void print_json(const char *spec, const char *split, const fv_data_info *info, const int *counts)
{
    const int image[] = {info->c, info->h, info->w};
    cli_json_begin("data");
    cli_json_text("name", spec);
    cli_json_text("split", split);
    cli_json_whole("images", info->n);
    cli_json_wholes("image", image, 3);
    cli_json_whole("classes", info->n_classes);
    cli_json_wholes("per_class", counts, info->n_classes < MAX_CLASSES ? info->n_classes : MAX_CLASSES);
    cli_json_whole("bytes", (int64_t)info->bytes);
    cli_json_end();
}

static void draw_some(const fv_data *data, const fv_data_info *info, const int *counts, const int *firsts)
{
    cli_picture pictures[MAX_DRAWN];
    char captions[MAX_DRAWN][16];
    int n = 0;
    for (int i = 0; i < info->n_classes && n < MAX_DRAWN; i++) {
        if (!counts[i])
            continue;
        snprintf(captions[n], sizeof captions[n], "%s", fv_data_class_name(data, i));
        pictures[n] = (cli_picture){.pixels = fv_data_pixels(data, firsts[i]),
                                    .c = info->c,
                                    .h = info->h,
                                    .w = info->w,
                                    .caption = captions[n]};
        n++;
    }
    putchar('\n');
    cli_draw(pictures, n);
}

static void print_classes(const fv_data *data, const fv_data_info *info, int counts[2][MAX_CLASSES])
{
    char spare[32];
    cli_column columns[] = {{"class", 5, 5, 0, false}, {"train", 7, 0, 0, false}, {"test", 7, 0, 1, false}};
    cli_table table;
    const int n = info->n_classes < MAX_CLASSES ? info->n_classes : MAX_CLASSES;
    for (int k = 0; k < n; k++) {
        const int width = cli_columns_of(fv_data_class_name(data, k));
        columns[0].width = width > columns[0].width ? width : columns[0].width;
    }
    cli_table_begin(&table, columns, 3);
    cli_table_titles(&table);
    for (int k = 0; k < n; k++) {
        cli_table_cell(&table, CLI_INK_PLAIN, "%s", fv_data_class_name(data, k));
        cli_table_cell(&table, CLI_INK_PLAIN, "%s", cli_grouped(counts[0][k], spare));
        cli_table_cell(&table, CLI_INK_PLAIN, "%s", cli_grouped(counts[1][k], spare));
        cli_table_end(&table);
    }
}

int cli_info_data(cli_session *session, const char *spec)
{
    static const char *const words[] = {"train", "test"};
    int counts[2][MAX_CLASSES] = {{0}}, firsts[MAX_CLASSES];
    fv_data *data[2] = {NULL, NULL};
    fv_data_info info[2] = {{0}};
    const cli_args *args = session->args;
    const fv_data_options how = cli_data_options(session, &args->classes, args->limit, NULL);
    char spare[2][32];
    const fv_status status = fv_data_open_both(session->ctx, spec, &how, &data[0], &data[1]);
    if (status != FV_OK)
        return cli_fail(session, status);
    const int n_sets = data[1] ? 2 : 1;
    for (int i = 0; i < n_sets; i++) {
        info[i] = fv_data_describe(data[i]);
        count(data[i], info[i].n, counts[i], firsts);
        if (args->json)
            print_json(spec, words[i], &info[i], counts[i]);
    }
    if (!args->json) {
        cli_note_data(session, data[0], "");
        cli_print_heading(spec, ": images of %dx%dx%d in %d classes", info[0].c, info[0].h, info[0].w,
                          info[0].n_classes);
        for (int i = 0; i < n_sets; i++)
            printf("  %-5s %9s images, %s\n", words[i], cli_grouped(info[i].n, spare[0]),
                   cli_scaled((double)info[i].bytes, "B", spare[1]));
        putchar('\n');
        print_classes(data[0], &info[0], counts);
        if (fv_data_pixels(data[n_sets - 1], 0))
            draw_some(data[n_sets - 1], &info[n_sets - 1], counts[n_sets - 1], firsts);
    }
    fv_data_destroy(data[1]);
    fv_data_destroy(data[0]);
    return 0;
}
