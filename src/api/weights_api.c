/* weights_api.c - the part of fovea.h for weights files and the data that they describe. */
#include "base/record.h"
#include "train/weights.h"

/* ---- files and memory ------------------------------------------------------------------------------ */

fv_status fv_model_save(fv_model *model, const char *path)
{
    FV_NEED(NULL, model);
    FV_NEED(model->ctx, path);
    return fv__weights_save(model, path, 0);
}

/* Also closes the file. */
static fv_status load_and_close(fv_model *model, fv_weights *weights)
{
    const fv_status status = fv__weights_load(weights, model);
    fv__weights_close(weights);
    return status;
}

fv_status fv_model_load(fv_model *model, const char *path)
{
    fv_weights weights;
    FV_NEED(NULL, model);
    FV_NEED(model->ctx, path);
    FV_TRY(fv__weights_open(model->ctx, path, &weights));
    return load_and_close(model, &weights);
}

fv_status fv_model_save_memory(fv_model *model, uint8_t **bytes, size_t *n_bytes)
{
    FV_NEED(NULL, model);
    FV_NEED(model->ctx, bytes);
    FV_NEED(model->ctx, n_bytes);
    FV_TRY(fv__weights_save_memory(model, bytes, n_bytes));
    fv__context_retain(model->ctx); /* until fv_bytes_destroy */
    return FV_OK;
}

fv_status fv_model_load_memory(fv_model *model, const uint8_t *bytes, size_t n_bytes)
{
    fv_weights weights;
    FV_NEED(NULL, model);
    FV_NEED(model->ctx, bytes);
    FV_TRY(fv__weights_open_memory(model->ctx, bytes, n_bytes, &weights));
    return load_and_close(model, &weights);
}

fv_status fv_model_from_memory(fv_context *ctx, const uint8_t *bytes, size_t n_bytes, fv_model **out)
{
    fv_weights weights;
    FV_NEED(NULL, ctx);
    FV_NEED(ctx, bytes);
    FV_NEED(ctx, out);
    FV_TRY(fv__weights_open_memory(ctx, bytes, n_bytes, &weights));
    const fv_status status = fv__weights_model(ctx, &weights, "memory", out);
    fv__weights_close(&weights);
    return status;
}

void fv_bytes_destroy(fv_context *ctx, uint8_t *bytes)
{
    if (!ctx || !bytes)
        return;
    fv__free(ctx, bytes);
    fv__context_release(ctx);
}

/* ---- classes and data ------------------------------------------------------------------------------ */

const char *fv_model_class_name(const fv_model *model, int index)
{
    return model && index >= 0 && index < model->n_class_names ? model->class_names[index] : NULL;
}

fv_status fv_model_set_class_names(fv_model *model, const char *const *names, int n)
{
    FV_NEED(NULL, model);
    FV_NEED(model->ctx, names);
    const int n_classes = fv__model_n_classes(model);
    if (n != n_classes)
        return fv__fail(model->ctx, FV_ERR_ARGUMENT,
                        "%s: expected as many names of classes as it tells apart, %d, found %d",
                        model->source, n_classes, n);
    FV_TRY(fv__class_names_check(model->ctx, FV_ERR_ARGUMENT, model->source, names, n));
    return fv__model_describe_data(model, names, n, NULL);
}

fv_data_record fv_model_trained_on(const fv_model *model)
{
    return model && model->trained_on ? *model->trained_on : (fv_data_record){0};
}
