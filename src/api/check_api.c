/* check_api.c - fv_model_check: checks the caller's arguments. */
#include "base/context.h"
#include "train/check.h"

#include <math.h>

fv_check_options fv_check_options_default(void)
{
    return (fv_check_options){.batch = 4, .seconds = 60};
}

fv_status fv_model_check(fv_model *model, const fv_check_options *options, fv_check_fn report, void *user,
                         fv_check_summary *summary)
{
    FV_NEED(NULL, model);
    const fv_check_options o = options ? *options : fv_check_options_default();
    fv_check_summary ignored;
    FV_TRY(fv__check_within(model->ctx, __func__, "batch", o.batch, 1, FV_MAX_CHECK_BATCH));
    if (!(o.seconds >= 0 && isfinite(o.seconds)))
        return fv__fail(model->ctx, FV_ERR_ARGUMENT,
                        "fv_model_check: seconds %s; expected 0 (as long as it takes) or more",
                        fv__general(o.seconds, 6).text);
    return fv__check_gradients(model, &o, report, user, summary ? summary : &ignored);
}
