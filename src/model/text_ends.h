/* text_ends.h - the lines of the model text for inputs, results and losses. Private to this room. */
#ifndef FV_MODEL_TEXT_ENDS_H
#define FV_MODEL_TEXT_ENDS_H

#include "model/layers.h"

/* Checks that the line has `least` to `most` words; otherwise the message shows `usage`. */
fv_status fv__words_expect(const fv_line *line, int least, int most, const char *usage);
fv_status fv__input_read(fv_parse *p);
fv_status fv__result_read(fv_parse *p);
fv_status fv__loss_read(fv_parse *p);
/* Adds the loss that the last layer implies, if the text has none, and the results. */
fv_status fv__ends_finish(fv_parse *p);

#endif
