/* text_ends.h - the lines of the model text that are no layers: inputs, results, losses. For this room. */
#ifndef FV_MODEL_TEXT_ENDS_H
#define FV_MODEL_TEXT_ENDS_H

#include "model/layers.h"

/* The line has `least` to `most` words, or is not what `usage` says. */
fv_status fv__words_expect(const fv_line *line, int least, int most, const char *usage);
fv_status fv__input_read(fv_parse *p);
fv_status fv__result_read(fv_parse *p);
fv_status fv__loss_read(fv_parse *p);
/* Where the text says no loss, by its last layer; and the results. */
fv_status fv__ends_finish(fv_parse *p);

#endif
