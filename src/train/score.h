/* score.h - compares results with targets. Private to this room. */
#ifndef FV_TRAIN_SCORE_H
#define FV_TRAIN_SCORE_H

#include "train/train.h"

typedef struct fv_scoring {
    const float *output; /* the first result of the current samples, in lanes */
    int64_t n_outputs;   /* number of its values */
    bool two, bounded;   /* one logistic output stands for two classes; outputs are probabilities */
    int classes, values; /* the feeds that it is compared with; -1: none */
    int64_t positions;   /* class numbers of a sample: 1, or the number of its pixels */
    int n_classes;
    int64_t n_wrong, n_missed,
        n_values;              /* wrong classes; labels that are not among the five most probable classes */
    fv_class_score *per_class; /* [n_classes]; NULL: not wanted */
    int *confusion;            /* [n_classes][n_classes]; NULL: not wanted */
    double absolute, squares;
} fv_scoring;

void fv__scoring_init(const fv_model *model, fv_scoring *out);
/* Sets the arrays to 0, and counts into them from then on. */
void fv__scoring_count(fv_scoring *s, fv_class_score *per_class, int *confusion);
/* Output k of the i-th current sample; a single logistic output counts as two. */
float fv__score_output(const fv_scoring *s, int i, int64_t k);
/* Scores the i-th current sample, whose target is number `sample` of the feeds. */
void fv__scoring_add(fv_scoring *s, const fv_given *feed, int i, int sample, fv_score *score);
void fv__scoring_finish(const fv_scoring *s, fv_score *score);

#endif
