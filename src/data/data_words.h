/* data_words.h - the words behind the name of a data set: PATH:word=value,word=value. They say how the data
 * are read and cut, and stand in the record of a run with the name; data_words.c has a row for each. */
#ifndef FV_DATA_DATA_WORDS_H
#define FV_DATA_DATA_WORDS_H

#include "base/context.h"

typedef enum fv_fit { FV_FIT_CROP, FV_FIT_STRETCH, FV_FIT_PAD } fv_fit;
const char *fv__fit_word(fv_fit fit);

typedef struct fv_data_words {
    unsigned given; /* bit i: the word of row i */
    fv_fit fit;
    double split; /* share of each class that is the test set; 0: none */
    int split_seed;
    int length;         /* of a signal, in samples; 0: as they are, all alike */
    const char *target; /* the column of a table; NULL: by rule */
    bool skip;          /* files that cannot be read are left out */
    bool any_size;      /* with no size given: all become as large as the first */
} fv_data_words;

const fv_data_word *fv__data_word_at(int index); /* NULL past the last */

/* The path, and what its words say. Texts are of the arena. A spec that names a file or a folder as it
 * stands has no words. FV_ERR_INPUT for a word or a value that there is not, with the nearest. */
fv_status fv__data_words_read(fv_arena *arena, const char *spec, const char **path, fv_data_words *out);

#endif
