/* score.c - compares results with targets: wrong classes of samples or of their pixels, and distances. */
#include "train/score.h"

#include <math.h>
#include <string.h>

/* Value k of sample i in the first result, which is stored in lanes. */
static float result_at(const fv_scoring *s, int i, int64_t k)
{
    return s->output[((int64_t)(i / FV_LANES) * s->n_outputs + k) * FV_LANES + i % FV_LANES];
}

float fv__score_output(const fv_scoring *s, int i, int64_t k)
{
    if (s->n_outputs > 1 || !s->two)
        return result_at(s, i, k);
    const float value = result_at(s, i, 0);
    return k == 1 ? value : s->bounded ? 1.0f - value : -value;
}

void fv__scoring_init(const fv_model *model, fv_scoring *out)
{
    const fv_graph *const graph = &model->graph;
    const fv_shape result = graph->tensors[graph->result[0]].shape;
    *out = (fv_scoring){.n_outputs = fv__shape_count(result),
                        .two = fv__model_n_outputs(model) > fv__shape_count(result),
                        .bounded = fv__model_output(model) == FV_OUTPUT_PROBABILITIES,
                        .classes = -1,
                        .values = -1};
    for (int i = 0; i < graph->n_losses; i++) {
        const fv_node *const loss = &graph->nodes[graph->tensors[graph->loss[i]].source];
        const int f = fv__graph_feed_of(graph, loss->input[1]);
        const fv_shape target = graph->tensors[loss->input[1]].shape;
        const int64_t positions = fv__shape_count(target);
        if (f < 0)
            continue;
        const bool is_class = graph->feed[f].kind == FV_FEED_CLASSES;
        const int64_t values = fv__model_n_outputs(model);
        if (is_class && out->classes < 0 && values == positions * graph->feed[f].n_classes) {
            out->classes = f;
            out->positions = positions;
            out->n_classes = graph->feed[f].n_classes;
        }
        if (!is_class && out->values < 0 && fv__shape_equal(target, result))
            out->values = f;
    }
}

void fv__scoring_count(fv_scoring *s, fv_class_score *per_class, int *confusion)
{
    const size_t n = (size_t)s->n_classes;
    if (per_class && n > 0)
        memset(per_class, 0, n * sizeof *per_class);
    if (confusion && n > 0)
        memset(confusion, 0, n * n * sizeof *confusion);
    s->per_class = per_class;
    s->confusion = confusion;
}

#define FV_TOP 5

static int most_probable(const fv_scoring *s, int i, int64_t position)
{
    int best = 0;
    float most = fv__score_output(s, i, position);
    for (int c = 1; c < s->n_classes; c++) {
        const float value = fv__score_output(s, i, c * s->positions + position);
        if (value > most) {
            best = c;
            most = value;
        }
    }
    return best;
}

/* Whether the label is among the most probable classes; of equally probable classes the first count. */
static bool is_among_top(const fv_scoring *s, int i, int64_t position, int label)
{
    const float value = fv__score_output(s, i, label * s->positions + position);
    int before = 0;
    for (int c = 0; c < s->n_classes && before < FV_TOP; c++) {
        const float other = fv__score_output(s, i, c * s->positions + position);
        before += other > value || (other == value && c < label);
    }
    return before < FV_TOP;
}

static void add_label(fv_scoring *s, int i, int64_t position, int label)
{
    const int answer = most_probable(s, i, position);
    const bool wrong = answer != label, known = label >= 0 && label < s->n_classes;
    s->n_wrong += wrong;
    s->n_missed += s->n_classes > FV_TOP && !(known && is_among_top(s, i, position, label));
    if (s->per_class && known) {
        s->per_class[label].n++;
        s->per_class[label].n_wrong += wrong;
    }
    if (s->confusion && known)
        s->confusion[(int64_t)label * s->n_classes + answer]++;
}

static void add_classes(fv_scoring *s, const fv_given *target, int i, int sample, fv_score *score)
{
    const int64_t before = s->n_wrong;
    for (int64_t p = 0; p < s->positions; p++)
        add_label(s, i, p, (int)fv__given_value(target, sample, p));
    score->n_wrong += s->n_wrong > before;
    score->n_labels += s->positions;
}

void fv__scoring_add(fv_scoring *s, const fv_given *feed, int i, int sample, fv_score *score)
{
    if (s->classes >= 0)
        add_classes(s, &feed[s->classes], i, sample, score);
    for (int64_t k = 0; k < s->n_outputs && s->values >= 0; k++) {
        const double d = (double)result_at(s, i, k) - (double)fv__given_value(&feed[s->values], sample, k);
        s->absolute += fabs(d);
        s->squares += d * d;
        s->n_values++;
    }
}

void fv__scoring_finish(const fv_scoring *s, fv_score *score)
{
    const double n_labels = (double)score->n_labels;
    score->n_classes = s->n_classes;
    score->error = score->n_labels > 0 ? (double)s->n_wrong / n_labels : 0;
    score->top5_error =
        score->n_labels > 0 && s->n_classes > FV_TOP ? (double)s->n_missed / n_labels : (double)NAN;
    score->absolute_error = s->n_values > 0 ? s->absolute / (double)s->n_values : (double)NAN;
    score->squared_error = s->n_values > 0 ? s->squares / (double)s->n_values : (double)NAN;
    if (s->classes < 0)
        score->error = score->absolute_error;
}
