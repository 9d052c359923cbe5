/* trace.c - reports a failed assertion, and the path of a failure. Only in builds with assertions, where
 * alone src/ prints, reads the environment and ends the program. */
#include "base/exact.h"
#include "base/trace.h"

#ifdef FV_ASSERTIONS

#include <stdio.h>
#include <stdlib.h>

_Noreturn void fv__assertion_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}

void fv__trace(const char *file, int line, int status, const char *call)
{
    if (getenv("FOVEA_TRACE"))
        fprintf(stderr, "trace: %s:%d: status %d of %s\n", file, line, status, call);
}

#else

typedef int fv_no_assertions; /* a source file of C is not empty */

#endif
