/* layers.h - the words of a layer's line, and what they append to the graph. */
#ifndef FV_MODEL_LAYERS_H
#define FV_MODEL_LAYERS_H

#include "base/names.h"
#include "model/model.h"
#include "model/words.h"

#define FV_MAX_LAYERS     20000
#define FV_ATTR_MAX_BYTES 512
#define FV_MAX_KINDS      32

/* The state of reading one text. */
typedef struct fv_parse {
    fv_context *ctx;
    fv_model *model;
    fv_line line;
    fv_init init;                         /* the default of weights */
    int input_line, init_line, loss_line; /* 0: none yet */
    int current;                          /* the tensor that the next layer reads */
    fv_names names;                       /* of the layers so far */
    int n_of_kind[FV_MAX_KINDS];          /* layers so far */
    int last_of_kind[FV_MAX_KINDS];       /* the number in the last automatic name */
} fv_parse;

typedef enum fv_slot_type {
    FV_SLOT_NONE,
    FV_SLOT_NAME,  /* of this layer           */
    FV_SLOT_COUNT, /* channels, features      */
    FV_SLOT_PAIR,  /* the kernel of a conv    */
    FV_SLOT_ATTR,  /* an attribute of the op  */
    FV_SLOT_LAYER  /* the name of an earlier layer */
} fv_slot_type;

/* A positional word. */
typedef struct fv_slot {
    fv_slot_type type;
    const char *word; /* as messages call it; of an attribute: its own word */
} fv_slot;

/* What one line says. */
typedef struct fv_layer_words {
    char name[FV_NAME_MAX_BYTES + 16]; /* automatic names have room for their number */
    int count;
    int kernel[2];
    int other; /* tensor */
    bool bias;
    fv_init init;
    _Alignas(16) unsigned char attrs[FV_ATTR_MAX_BYTES]; /* the op's own struct */
} fv_layer_words;

typedef struct fv_layer_kind {
    const char *word; /* "conv" */
    const char *op;   /* "conv2d" */
    fv_slot slot[3];
    bool weighted; /* takes init= and bias= */
    fv_status (*build)(fv_parse *p, const struct fv_layer_kind *kind, const fv_layer_words *words,
                       int *output);
    bool fixed; /* `build` sets the operation's attributes: none of them is a key of the line */
} fv_layer_kind;

const fv_layer_kind *fv__layer_kind_find(const char *word);
const fv_layer_kind *fv__layer_kind_at(int index); /* NULL past the last */

/* layer_line.c: reads the rest of the line as a layer of this kind and appends it. */
fv_status fv__layer_read(fv_parse *p, const fv_layer_kind *kind);
/* Appends the record of a layer whose nodes and tensors are those from first_node and first_tensor on. */
fv_status fv__layer_record(fv_parse *p, const char *kind, const char *name, size_t first_node,
                           size_t first_tensor);
/* Reads "he", "normal" with its scale. `scale` NULL: missing. */
fv_status fv__init_read(const fv_line *line, int column, const char *kind, const char *scale,
                        int scale_column, fv_init *out);
/* A parameter of the layer: "c1" and "weight" make "c1.weight"; NULL: it has the layer's name. */
fv_status fv__layer_parameter(fv_parse *p, const char *layer, const char *suffix, fv_shape shape,
                              fv_init init, bool decays, int *tensor);
/* The shape of what the line reads. */
fv_shape fv__layer_input(const fv_parse *p);

/* layers_tokens.c: the layers of sequences. */
fv_status fv__layer_class_token(fv_parse *p, const fv_layer_kind *kind, const fv_layer_words *words,
                                int *output);
fv_status fv__layer_position(fv_parse *p, const fv_layer_kind *kind, const fv_layer_words *words,
                             int *output);
fv_status fv__layer_layernorm(fv_parse *p, const fv_layer_kind *kind, const fv_layer_words *words,
                              int *output);
fv_status fv__layer_attention(fv_parse *p, const fv_layer_kind *kind, const fv_layer_words *words,
                              int *output);

/* Appends a node of the present line, which belongs to `layer`. */
fv_status fv__layer_node(fv_parse *p, const char *op, const char *name, const char *layer, int n_inputs,
                         const int *inputs, const void *attrs, int *output);

#endif
