/* The daemon's log: one line an event on standard error, JSON or for the journal. Names, states,
 * codes and sizes; never content. */
#ifndef CVM_API_LOG_H
#define CVM_API_LOG_H

#include "core/base/json.h"

enum cvm_log_form { CVM_LOG_JSON, CVM_LOG_JOURNAL };
enum cvm_log_level { CVM_LOG_ERROR = 3, CVM_LOG_WARNING = 4, CVM_LOG_INFO = 6 }; /* of syslog */

void cvm_log_form(enum cvm_log_form form);
/* `fields` is a flat object and taken over; NULL for none. `err` may be NULL. */
void cvm_log(enum cvm_log_level level, const char *event, json_t *fields,
             const struct cvm_error *err);

#endif
