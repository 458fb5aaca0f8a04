#include "orchestrator/api/log.h"

#include <string.h>
#include <time.h>

static enum cvm_log_form log_form = CVM_LOG_JSON;

void cvm_log_form(enum cvm_log_form form)
{
    log_form = form;
}

static const char *level_word(enum cvm_log_level level)
{
    return level == CVM_LOG_ERROR ? "error" : level == CVM_LOG_WARNING ? "warning" : "info";
}

/* Control bytes would let a name forge a line of its own. */
static void append_text(struct cvm_buf *out, const char *s)
{
    for (; *s; s++)
        cvm_buf_append_u8(out, (uint8_t)(*s < 0x20 || *s > 0x7e ? '?' : *s));
}

static void write_journal(struct cvm_buf *out, enum cvm_log_level level, const char *event,
                          json_t *fields)
{
    char start[8];
    snprintf(start, sizeof start, "<%d>", level);
    cvm_buf_append_str(out, start);
    append_text(out, event);
    const char *name;
    json_t *value;
    json_object_foreach(fields, name, value)
    {
        char number[32];
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
        cvm_buf_append_str(out, " ");
        append_text(out, name);
        cvm_buf_append_str(out, "=");
        append_text(out, json_is_string(value) ? json_string_value(value) : number);
    }
}

static void write_json(struct cvm_buf *out, enum cvm_log_level level, const char *event,
                       json_t *fields)
{
    json_object_set_new(fields, "event", json_string(event));
    json_object_set_new(fields, "level", json_string(level_word(level)));
    json_object_set_new(fields, "time", json_integer((json_int_t)time(NULL)));
    if (cvm_json_write(fields, out, NULL) < 0)
        cvm_buf_append_str(out, "{\"event\":\"log\",\"level\":\"error\"}");
}

void cvm_log(enum cvm_log_level level, const char *event, json_t *fields,
             const struct cvm_error *err)
{
    CVM_AUTO_JSON json_t *o = fields ? fields : json_object();
    CVM_AUTO_BUF struct cvm_buf line = {0};
    if (err && err->code) {
        char text[800];
        json_object_set_new(o, "code", json_string(cvm_code_info(err->code)->name));
        json_object_set_new(o, "message", json_string(cvm_error_line(err, text, sizeof text)));
    }
    if (log_form == CVM_LOG_JSON)
        write_json(&line, level, event, o);
    else
        write_journal(&line, level, event, o);
    cvm_buf_append_str(&line, "\n");
    /* One write a line, so that threads do not mix theirs. A log that can't be written is lost. */
    ssize_t n = write(STDERR_FILENO, line.data, line.len);
    (void)n;
}
