/* trace.h - assertions, and the path of a failure through the source, for developers of Fovea.
 *
 * Both are on in debug builds and in those with sanitizers (FV_ASSERTIONS, which CMakeLists.txt defines).
 * In all other builds an assertion is not evaluated, so it may be expensive. A user's mistake is never an
 * assertion but a status with a message. */
#ifndef FV_BASE_TRACE_H
#define FV_BASE_TRACE_H

#include "base/exact.h"

#ifdef FV_ASSERTIONS
/* A condition that our own code guarantees; otherwise the program ends and prints the place and the
 * condition. */
#define FV_ASSERT(condition)   ((condition) ? (void)0 : fv__assertion_failed(__FILE__, __LINE__, #condition))
#define FV_TRACE(status, call) fv__trace(__FILE__, __LINE__, (int)(status), call)
_Noreturn void fv__assertion_failed(const char *file, int line, const char *condition);
/* If FOVEA_TRACE is set in the environment: prints "trace: FILE:LINE: status 3 of CALL" to stderr. */
void fv__trace(const char *file, int line, int status, const char *call);
#else
#define FV_ASSERT(condition)   ((void)sizeof(!(condition)))
#define FV_TRACE(status, call) ((void)0)
#endif

#endif
