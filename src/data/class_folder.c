/* class_folder.c - a folder with a folder of files for each class. */
#include "data/class_folder.h"

#include "base/rng.h"
#include "base/utf8.h"
#include "data/dataset.h"
#include "io/file.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char *const test_names[] = {"test", "val", "valid", "validation"};

enum { MAX_DEPTH = 8 };

/* ---- names of a folder -------------------------------------------------------------------------------- */

typedef struct names {
    fv_arena *arena;
    const char **name;
    size_t n, capacity;
} names;

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static fv_status add_name(names *list, const char *name)
{
    fv_context *const ctx = list->arena->ctx;
    FV_TRY(fv__grow(ctx, (void **)&list->name, list->n, &list->capacity, sizeof *list->name));
    list->name[list->n] = fv__arena_strdup(list->arena, name);
    return list->name[list->n++] ? FV_OK : FV_ERR_MEMORY;
}

/* What the folder holds and is not hidden, in the order of bytes. list->name is freed by the caller. */
static fv_status read_folder(fv_arena *arena, const char *path, names *list)
{
    *list = (names){.arena = arena};
    DIR *const folder = opendir(path);
    if (!folder)
        return fv__fail(arena->ctx, FV_ERR_INPUT, "%s: cannot read this folder", path);
    fv_status status = FV_OK;
    for (struct dirent *entry; status == FV_OK && (entry = readdir(folder));)
        if (entry->d_name[0] != '.')
            status = add_name(list, entry->d_name);
    closedir(folder);
    if (status == FV_OK && list->n > 0)
        qsort(list->name, list->n, sizeof *list->name, by_bytes);
    return status;
}

/* "FOLDER/NAME" in the arena; NULL as fv__alloc. */
static char *join(fv_arena *arena, const char *folder, const char *name)
{
    const size_t n = strlen(folder);
    return fv__arena_printf(arena, "%s%s%s", folder, n > 0 && folder[n - 1] == '/' ? "" : "/", name);
}

/* ---- recognising -------------------------------------------------------------------------------------- */

/* Whether the folder holds such a file, or one of its folders does, and so on. */
static bool holds(const char *path, fv_named_fn named, int depth)
{
    char below[PATH_MAX];
    const size_t n = strlen(path);
    bool found = false;
    DIR *const folder = opendir(path);
    for (struct dirent *entry; folder && !found && (entry = readdir(folder));) {
        const size_t m = strlen(entry->d_name);
        if (entry->d_name[0] == '.' || n + m + 2 > sizeof below)
            continue;
        memcpy(below, path, n);
        below[n] = '/';
        memcpy(below + n + 1, entry->d_name, m + 1);
        if (depth > 0 && fv__file_is_folder(below))
            found = holds(below, named, depth - 1);
        else if (depth < MAX_DEPTH)
            found = named(entry->d_name);
    }
    if (folder)
        closedir(folder);
    return found;
}

bool fv__class_folder_is(const char *path, fv_named_fn named)
{
    return holds(path, named, MAX_DEPTH);
}

/* ---- classes ------------------------------------------------------------------------------------------ */

/* Names of the folders in `path`. */
static fv_status find_classes(fv_arena *arena, const char *path, names *list)
{
    size_t n = 0;
    FV_TRY(read_folder(arena, path, list));
    for (size_t i = 0; i < list->n; i++) {
        const char *const below = join(arena, path, list->name[i]);
        if (!below)
            return FV_ERR_MEMORY;
        if (fv__file_is_folder(below))
            list->name[n++] = list->name[i];
    }
    list->n = n;
    return n == 0
               ? fv__fail(arena->ctx, FV_ERR_INPUT, "%s: expected a folder for each class, found none", path)
               : FV_OK;
}

static int place_of(const names *list, const char *name)
{
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->name[i], name) == 0)
            return (int)i;
    return -1;
}

/* Takes the order of the lines; `found` has as many names as there are folders. */
static fv_status reorder(fv_arena *arena, const char *path, char *text, names *found)
{
    fv_context *const ctx = arena->ctx;
    const char **const order = fv__arena_alloc(arena, found->n, sizeof *order);
    size_t n = 0;
    int number = 1;
    if (!order)
        return FV_ERR_MEMORY;
    for (char *line = text, *end = text; end; line = end + 1, number++) {
        end = strchr(line, '\n');
        if (end)
            *end = '\0';
        line[strcspn(line, "\r")] = '\0';
        if (!*line)
            continue;
        const int at = place_of(found, line);
        if (at < 0)
            return fv__fail(ctx, FV_ERR_INPUT, "%s:%d: expected the name of a class's folder, found '%s'",
                            path, number, line);
        for (size_t k = 0; k < n; k++)
            if (order[k] == found->name[at])
                return fv__fail(ctx, FV_ERR_INPUT, "%s:%d: the class '%s' was named before", path, number,
                                line);
        order[n++] = found->name[at];
    }
    for (size_t i = 0; i < found->n && n < found->n; i++) {
        size_t k = 0;
        while (k < n && order[k] != found->name[i])
            k++;
        if (k == n)
            return fv__fail(ctx, FV_ERR_INPUT, "%s: the class '%s' has a folder and is not named", path,
                            found->name[i]);
    }
    memcpy(found->name, order, n * sizeof *order);
    return FV_OK;
}

static fv_status order_classes(fv_arena *arena, const char *path, names *found)
{
    uint8_t *text;
    size_t n;
    const char *const file = join(arena, path, "classes.txt");
    if (!file)
        return FV_ERR_MEMORY;
    if (!fv__file_exists(file))
        return FV_OK;
    FV_TRY(fv__file_read(arena->ctx, file, (size_t)1 << 24, &text, &n));
    const fv_status status = reorder(arena, file, (char *)text, found);
    fv__free(arena->ctx, text);
    return status;
}

/* ---- files -------------------------------------------------------------------------------------------- */

typedef struct walk {
    fv_arena *arena;
    fv_named_fn named;
    fv_class_list *list;
    size_t n, capacity;
    int label;
} walk;

static fv_status walk_folder(walk *w, const char *path, int depth)
{
    fv_context *const ctx = w->arena->ctx;
    names found;
    fv_status status = read_folder(w->arena, path, &found);
    for (size_t i = 0; i < found.n && status == FV_OK; i++) {
        const char *const below = join(w->arena, path, found.name[i]);
        if (!below)
            status = FV_ERR_MEMORY;
        else if (fv__file_is_folder(below)) {
            if (depth > 0)
                status = walk_folder(w, below, depth - 1);
        } else if (!w->named(found.name[i])) {
            w->list->n_passed++;
        } else if (w->n == INT_MAX / 2) {
            status = fv__fail(ctx, FV_ERR_INPUT, "%s: more files than can be counted", path);
        } else {
            status = fv__grow(ctx, (void **)&w->list->files, w->n, &w->capacity, sizeof *w->list->files);
            if (status == FV_OK)
                w->list->files[w->n++] = (fv_class_file){.path = below, .label = w->label};
        }
    }
    fv__free(ctx, (void *)found.name);
    return status;
}

/* The files of all classes that `path` has, sorted by class. list->files is freed by the caller. */
static fv_status walk_classes(fv_arena *arena, const char *path, const names *classes, fv_named_fn named,
                              fv_class_list *list)
{
    walk w = {.arena = arena, .named = named, .list = list};
    for (size_t k = 0; k < classes->n; k++) {
        const size_t before = w.n;
        const char *const folder = join(arena, path, classes->name[k]);
        if (!folder)
            return FV_ERR_MEMORY;
        if (!fv__file_is_folder(folder))
            continue; /* a class that only the training set has */
        w.label = (int)k;
        FV_TRY(walk_folder(&w, folder, MAX_DEPTH));
        if (w.n == before)
            return fv__fail(arena->ctx, FV_ERR_INPUT, "%s: expected files of this class, found none", folder);
    }
    list->n = (int)w.n;
    return FV_OK;
}

/* ---- which, and in which order ------------------------------------------------------------------------ */

/* By (rank + 1/2) / among, then by class. */
static int by_share(const void *a, const void *b)
{
    const fv_class_file *x = a, *y = b;
    const int64_t p = (2 * (int64_t)x->rank + 1) * y->among, q = (2 * (int64_t)y->rank + 1) * x->among;
    return p < q ? -1 : p > q ? 1 : x->label < y->label ? -1 : x->label > y->label;
}

int fv__class_deal(fv_class_file *files, int n, int n_classes, fv_split split, const fv_data_words *words)
{
    int kept = 0;
    for (int k = 0, first = 0, end; k < n_classes; k++, first = end) {
        for (end = first; end < n && files[end].label == k;)
            end++;
        const int all = end - first;
        fv_rng rng = fv__rng((uint64_t)words->split_seed, FV_STREAM_SPLIT, (uint32_t)k, 0);
        for (int i = all - 1; i > 0; i--) {
            const uint32_t j = fv__rng_below(&rng, (uint32_t)i + 1);
            const fv_class_file t = files[first + i];
            files[first + i] = files[first + (int)j];
            files[first + (int)j] = t;
        }
        int n_test = words->split > 0 ? (int)(all * words->split + 0.5) : 0;
        n_test = words->split > 0 && n_test == 0 && all > 1 ? 1 : n_test;
        n_test = n_test == all && all > 1 ? all - 1 : n_test;
        const bool test = split == FV_SPLIT_TEST && words->split > 0;
        const int from = test ? first : first + n_test, to = test ? first + n_test : end;
        for (int i = from; i < to; i++) {
            files[kept] = files[i];
            files[kept].rank = i - from;
            files[kept++].among = to - from;
        }
    }
    if (kept > 0)
        qsort(files, (size_t)kept, sizeof *files, by_share);
    return kept;
}

/* What the options ask for, renumbered. */
static fv_status choose(fv_arena *arena, const char *path, const fv_data_options *options,
                        fv_class_list *list)
{
    const char **kept = list->names;
    int n = 0;
    const int n_asked = options->n_classes;
    FV_TRY(fv__data_check_options(arena->ctx, options, list->n_classes, path));
    if (n_asked > 0) {
        kept = fv__arena_alloc(arena, (size_t)n_asked, sizeof *kept);
        if (!kept)
            return FV_ERR_MEMORY;
        for (int k = 0; k < n_asked; k++)
            kept[k] = list->names[options->classes[k]];
    }
    for (int i = 0; i < list->n && (options->limit == 0 || n < options->limit); i++) {
        const int label = fv__data_renumber(options, list->files[i].label);
        if (label < 0)
            continue;
        list->files[n] = list->files[i];
        list->files[n++].label = label;
    }
    if (n == 0)
        return fv__fail(arena->ctx, FV_ERR_INPUT, "data set %s: none of its %d files is of a class asked for",
                        path, list->n);
    list->n = n;
    list->names = kept;
    list->n_classes = n_asked > 0 ? n_asked : list->n_classes;
    return FV_OK;
}

/* ---- all of it ---------------------------------------------------------------------------------------- */

/* The folders of the two sets; *test is NULL where there is none. */
static fv_status find_sets(fv_arena *arena, const char *path, const char **train, const char **test)
{
    *train = join(arena, path, "train");
    *test = NULL;
    if (!*train)
        return FV_ERR_MEMORY;
    if (!fv__file_is_folder(*train)) {
        *train = path;
        return FV_OK;
    }
    for (int i = 0; i < FV_COUNT(test_names) && !*test; i++) {
        const char *const folder = join(arena, path, test_names[i]);
        if (!folder)
            return FV_ERR_MEMORY;
        if (fv__file_is_folder(folder))
            *test = folder;
    }
    return FV_OK;
}

/* Every class of the test set has to be one of the training set's. */
static fv_status check_test(fv_arena *arena, const char *test, const names *classes)
{
    names found;
    fv_status status = find_classes(arena, test, &found);
    for (size_t i = 0; i < found.n && status == FV_OK; i++)
        if (place_of(classes, found.name[i]) < 0)
            status = fv__fail(arena->ctx, FV_ERR_INPUT,
                              "%s/%s: expected a class of the training set, which has none of this name",
                              test, found.name[i]);
    fv__free(arena->ctx, (void *)found.name);
    return status;
}

static fv_status list_classes(fv_arena *arena, const char *path, const char *train, const char *test,
                              names *classes, fv_class_list *out)
{
    FV_TRY(find_classes(arena, train, classes));
    FV_TRY(order_classes(arena, path, classes));
    if (classes->n > FV_MAX_CLASSES)
        return fv__fail(arena->ctx, FV_ERR_INPUT, "%s: expected at most %d classes, found %zu", path,
                        FV_MAX_CLASSES, classes->n);
    if (test)
        FV_TRY(check_test(arena, test, classes));
    out->n_classes = (int)classes->n;
    out->names = fv__arena_alloc(arena, classes->n, sizeof *out->names);
    if (!out->names)
        return FV_ERR_MEMORY;
    memcpy(out->names, classes->name, classes->n * sizeof *out->names);
    return FV_OK;
}

fv_status fv__class_folder_list(fv_arena *arena, const char *path, fv_split split, const fv_data_words *words,
                                const fv_data_options *options, fv_named_fn named, fv_class_list *out,
                                bool *there)
{
    const char *train, *test;
    names classes = {0};
    *out = (fv_class_list){0};
    FV_TRY(find_sets(arena, path, &train, &test));
    if (test && words->split > 0)
        return fv__fail(arena->ctx, FV_ERR_INPUT, "data set %s: split: there is a test set, %s", path, test);
    *there = split == FV_SPLIT_TRAIN || test || words->split > 0;
    if (!*there)
        return FV_OK;
    fv_status status = list_classes(arena, path, train, test, &classes, out);
    if (status == FV_OK)
        status = walk_classes(arena, split == FV_SPLIT_TEST && test ? test : train, &classes, named, out);
    if (status == FV_OK) {
        out->n = fv__class_deal(out->files, out->n, out->n_classes, split, words);
        status = choose(arena, path, options, out);
    }
    fv__free(arena->ctx, (void *)classes.name);
    if (status != FV_OK) {
        fv__free(arena->ctx, out->files);
        out->files = NULL;
    }
    return status;
}
