/* layers.h - the words of a layer's line, and what they append to the graph. */
#ifndef FV_MODEL_LAYERS_H
#define FV_MODEL_LAYERS_H

#include "base/names.h"
#include "model/model.h"
#include "model/words.h"

#define FV_MAX_LAYERS     20000
#define FV_ATTR_MAX_BYTES 512

/* The state of reading one text. */
typedef struct fv_parse {
    fv_context *ctx;
    fv_model *model;
    fv_line line;
    fv_init init;                         /* the default of weights */
    int input_line, init_line, loss_line; /* 0: none yet */
    int current;                          /* the tensor that the next layer reads */
    fv_names names;                       /* of the layers so far */
    int *n_of_kind;                       /* [layer words]: layers so far */
    int *last_of_kind;                    /* [layer words]: the number in the last automatic name */
} fv_parse;

/* What one line says. */
typedef struct fv_layer_words {
    char name[FV_NAME_MAX_BYTES + 16]; /* automatic names have room for their number */
    int count;
    fv_sizes window; /* n = 0: the layer has none */
    fv_word window_word;
    const char *window_slot;
    int other[FV_MAX_INPUTS], n_others; /* tensors of the layers that the line names */
    bool bias;
    fv_init init;
    _Alignas(16) unsigned char attrs[FV_ATTR_MAX_BYTES]; /* the op's own struct */
} fv_layer_words;

/* layer_line.c: reads the rest of the line as a layer of this kind and appends it. */
fv_status fv__layer_read(fv_parse *p, const fv_layer_kind *kind);
/* The keys that a line of this kind may have, as far as there is room for them. Returns their number. */
int fv__layer_keys(const fv_layer_kind *kind, const char **keys, int room);
/* Appends the record of a layer whose nodes and tensors are those from first_node and first_tensor on. */
fv_status fv__layer_record(fv_parse *p, const char *kind, const char *name, size_t first_node,
                           size_t first_tensor);
/* Reads "he", "normal" with its scale. `scale` NULL: missing. */
fv_status fv__init_read(const fv_line *line, int column, const char *kind, const char *scale,
                        int scale_column, fv_init *out);
/* layers.c: appends the layer that the line describes; *output is the tensor that it makes. */
fv_status fv__layer_append(fv_parse *p, const fv_layer_kind *kind, fv_layer_words *words, int *output);
/* Appends a node of the present line, which belongs to `layer`. */
fv_status fv__layer_node(fv_parse *p, const char *op, const char *name, const char *layer, int n_inputs,
                         const int *inputs, const void *attrs, int *output);

#endif
