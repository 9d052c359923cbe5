/* class_folder.h - a folder with a folder of files for each class: which files belong to a set, in which
 * order. */
#ifndef FV_DATA_CLASS_FOLDER_H
#define FV_DATA_CLASS_FOLDER_H

#include "data/data_words.h"

typedef struct fv_class_file {
    const char *path;
    uint32_t number; /* of a row of a table, which has no path */
    int label;
    int rank, among; /* which of how many of its class in the set */
} fv_class_file;

typedef struct fv_class_list {
    const char **names; /* [n_classes]; all of this list is of the arena */
    int n_classes;
    fv_class_file *files; /* [n] */
    int n;
    int n_passed; /* files passed over, by their names */
} fv_class_list;

/* Whether a name is that of a file of the kind looked for. */
typedef bool (*fv_named_fn)(const char *name);

/* PATH/CLASS/FILE or PATH/train/CLASS/FILE with such a file. */
bool fv__class_folder_is(const char *path, fv_named_fn named);

/* The files of a set in PATH, or PATH/train and one of PATH/test, val, valid, validation. Classes are in the
 * order of their names' bytes, or of the lines of PATH/classes.txt; what is hidden is passed over. The files
 * are shuffled within their class and dealt out so that the first n, and the last n, of them have all classes
 * in the shares of the whole. *there is false where there is no such set. FV_ERR_INPUT for an empty class,
 * for one that only the test set has, and where what the options ask for leaves nothing. */
fv_status fv__class_folder_list(fv_arena *arena, const char *path, fv_split split, const fv_data_words *words,
                                const fv_data_options *options, fv_named_fn named, fv_class_list *out,
                                bool *there);

/* Deals out: files of the classes 0..n_classes-1, sorted by class, those of split words to the set of
 * `split`. Returns how many are left in files. */
int fv__class_deal(fv_class_file *files, int n, int n_classes, fv_split split, const fv_data_words *words);

#endif
