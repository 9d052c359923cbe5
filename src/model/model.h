/* model.h - a network and its parameters.
 *
 * The graph (forward pass and loss) is immutable once the model exists. All tensors that are stored with a
 * model are in one block:
 *
 *     values:  [ c1.weight | c1.bias | out.weight | ... | input.mean | input.inv_std ]
 *                ^ 64-byte aligned, each tensor too (padding floats are 0)
 *                learned: params[0 .. n_learned)          statistics: the rest
 */
#ifndef FV_MODEL_MODEL_H
#define FV_MODEL_MODEL_H

#include "graph/op.h"

typedef struct fv_param {
    int tensor;    /* number of the tensor in the graph */
    size_t offset; /* offset in values, in floats; a multiple of 16 */
    size_t n;      /* number of values */
} fv_param;

/* The record of a line of the model text; the first record is the input line. */
typedef struct fv_layer_record {
    const char *name; /* "c1", "relu2" */
    const char *kind; /* its word: "conv" */
    int line;
    const struct fv_call *call; /* the use whose definition contains the line; NULL: none */
    int output;                 /* tensor */
    size_t first_node, n_nodes; /* of the graph */
    int64_t n_parameters;       /* learned values */
} fv_layer_record;

struct fv_model {
    fv_context *ctx;
    char *text;   /* owned */
    char *source; /* name of the text in messages; owned */
    fv_graph graph;
    fv_layer_record *layers;
    size_t n_layers, layer_capacity;
    fv_param *params;
    int n_params, n_learned;
    int *param_of;      /* [tensor]: index in params; -1: neither parameter nor statistic */
    float *values;      /* NULL until they are needed: fv__model_ensure */
    size_t n_values;    /* including the padding */
    char **class_names; /* [n_class_names] of the first outputs; one block */
    int n_class_names;
    fv_data_record *trained_on; /* NULL: unknown */
    int references;             /* the caller's, until it destroys the model, and one for each predictor */
    bool settled;               /* the caller drew, loaded or trained the parameters: training keeps them */
};

/* Parses the text, builds and verifies the graph. The text need not end in NUL. A model allocates its
 * values when they are first needed, so that describing a large model costs nothing. */
fv_status fv__model_create(fv_context *ctx, const char *text, size_t n_bytes, const char *source,
                           fv_model **out);
/* Adds a reference. */
fv_model *fv__model_retain(fv_model *model); /* returns model */
/* Releases a reference; the last release frees the model. */
void fv__model_destroy(fv_model *model);
/* Allocates the values and draws those of seed 0, unless the model has values. */
fv_status fv__model_ensure(fv_model *model);
/* Draws every learned parameter from `seed`; sets every statistic to its initial value. */
fv_status fv__model_draw(fv_model *model, uint64_t seed);
/* Allocates the values without drawing, for callers that will write all of them. */
fv_status fv__model_allocate(fv_model *model);
/* The index of a parameter or statistic in params; -1: the tensor is neither. */
int fv__model_param_of(const fv_model *model, int tensor);
/* The parameter's tensor: name, shape and initialisation. */
static inline const fv_tensor *fv__model_tensor(const fv_model *model, int param)
{
    return &model->graph.tensors[model->params[param].tensor];
}
/* The values of one parameter. NULL if they have not been allocated and memory fails; after
 * fv__model_ensure this cannot happen. */
float *fv__model_values(const fv_model *model, int param);
/* FNV-1a, 64 bits, over the bytes of the learned parameters in order, least significant byte first. 0 if
 * there are no values yet and memory fails. */
uint64_t fv__model_hash(const fv_model *model);
/* Classes of the first target that is a class number; 2 for a single logistic output; 0 if no target is
 * one. */
int fv__model_n_classes(const fv_model *model);
/* Number of values of the first result; 2 for a single logistic output. */
int fv__model_n_outputs(const fv_model *model);
fv_output fv__model_output(const fv_model *model);
/* Copies the names of the first n outputs and the record of the data; NULL keeps the present ones. Either
 * both are copied or none. */
fv_status fv__model_describe_data(fv_model *model, const char *const *class_names, int n,
                                  const fv_data_record *trained_on);

/* init.c: values[n] of parameter number `index`, drawn from `seed`. */
void fv__init_draw(const fv_init *init, uint64_t seed, uint32_t index, float *values, size_t n);

/* model_text.c: fills model->graph and model->layers. */
fv_status fv__model_text_parse(fv_model *model, const char *text, size_t n_bytes);

/* zoo.c: built-in models in alphabetical order. */
typedef struct fv_zoo_entry {
    const char *name, *text;
} fv_zoo_entry;
const fv_zoo_entry *fv__zoo_at(int index); /* NULL past the last */
const fv_zoo_entry *fv__zoo_find(const char *name);

#endif
