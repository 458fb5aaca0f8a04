#include "core/evidence/report.h"

#include <inttypes.h>
#include <string.h>

#include "core/base/cursor.h"
#include "core/base/encode.h"
#include "core/evidence/line.h"

enum kind { KIND_UINT, KIND_BYTES, KIND_TCB, KIND_ZERO };

struct field {
    enum kind kind;
    const char *name;
    size_t offset, len;
    unsigned since;
    const char *text;
    size_t member; /* offset in struct cvm_report; unused for reserved places */
};

static const struct field fields[] = {
#define UINT(name, offset, bytes, since, text)                                                     \
    {KIND_UINT, #name, offset, bytes, since, text, offsetof(struct cvm_report, name)},
#define BYTES(name, offset, bytes, since, text)                                                    \
    {KIND_BYTES, #name, offset, bytes, since, text, offsetof(struct cvm_report, name)},
#define TCB(name, offset, since, text)                                                             \
    {KIND_TCB, #name, offset, 8, since, text, offsetof(struct cvm_report, name)},
#define ZERO(offset, bytes) {KIND_ZERO, "reserved", offset, bytes, ~0U, "", 0},
#include "core/evidence/report-fields.def"
#undef UINT
#undef BYTES
#undef TCB
#undef ZERO
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

/* The table must cover the report without hole or overlap, in order. */
#define UINT(name, offset, bytes, since, text) +(bytes)
#define BYTES(name, offset, bytes, since, text) +(bytes)
#define TCB(name, offset, since, text) +8
#define ZERO(offset, bytes) +(bytes)
_Static_assert((0
#include "core/evidence/report-fields.def"
                ) == CVM_REPORT_LEN,
               "report-fields.def does not describe 1184 bytes");
#undef UINT
#undef BYTES
#undef TCB
#undef ZERO

static const struct bit {
    const char *field;
    unsigned bit;
    const char *name, *text;
} bits[] = {
#define BIT(field, bit, name, text) {#field, bit, #name, text},
#include "core/evidence/report-bits.def"
#undef BIT
};
#define BITS (sizeof(bits) / sizeof(bits[0]))

static bool version_known(uint64_t version)
{
    return version == 2 || version == 3 || version == 5;
}

static bool all_zero(const uint8_t *p, size_t len)
{
    uint8_t any = 0;
    for (size_t i = 0; i < len; i++)
        any |= p[i];
    return any == 0;
}

int cvm_report_parse(const void *data, size_t len, struct cvm_report *ret, struct cvm_error *err)
{
    if (len != CVM_REPORT_LEN) {
        char got[32];
        snprintf(got, sizeof(got), "%zu bytes", len);
        return cvm_fail_expected(err, CVM_E_REPORT_FORMAT, "1184 bytes", got,
                                 len < CVM_REPORT_LEN
                                     ? "the report is too short: it was cut off"
                                     : "the report is too long: cut out its 1184 bytes "
                                       "(an Azure HCL report has them at offset 32)");
    }
    struct cvm_report r = {0};
    memcpy(r.raw, data, len);
    struct cvm_cursor c = cvm_cursor(data, len);
    uint64_t version = 0;
    for (size_t i = 0; i < FIELDS; i++) {
        const struct field *f = &fields[i];
        const uint8_t *p = cvm_cursor_take(&c, f->len);
        CVM_ENSURE(p && f->offset + f->len == c.at, err, CVM_E_INTERNAL,
                   "the table of the report's fields has a hole at 0x%zx", f->offset);
        if (i == 0) {
            struct cvm_cursor v = cvm_cursor(p, f->len);
            version = cvm_cursor_u32le(&v);
            if (!version_known(version)) {
                char got[24];
                snprintf(got, sizeof(got), "%" PRIu64, version);
                return cvm_fail_expected(err, CVM_E_REPORT_FORMAT, "2, 3 or 5", got,
                                         "unknown version of the report");
            }
        }
        if (version < f->since) {
            CVM_ENSURE(all_zero(p, f->len), err, CVM_E_REPORT_FORMAT,
                       "reserved bytes at 0x%zx of a version %" PRIu64 " report are not zero",
                       f->offset, version);
            continue;
        }
        uint8_t *member = (uint8_t *)&r + f->member;
        if (f->kind == KIND_UINT) {
            struct cvm_cursor v = cvm_cursor(p, f->len);
            uint64_t value = cvm_cursor_uint(&v, f->len, false);
            memcpy(member, &value, sizeof(value));
        } else {
            memcpy(member, p, f->len);
        }
    }
    CVM_ENSURE(cvm_cursor_done(&c), err, CVM_E_INTERNAL, "the report's table ends early");
    *ret = r;
    return 0;
}

static uint64_t uint_of(const struct cvm_report *r, const struct field *f)
{
    uint64_t v;
    memcpy(&v, (const uint8_t *)r + f->member, sizeof(v));
    return v;
}

void cvm_report_write(const struct cvm_report *r, uint8_t out[CVM_REPORT_LEN])
{
    memset(out, 0, CVM_REPORT_LEN);
    for (size_t i = 0; i < FIELDS; i++) {
        const struct field *f = &fields[i];
        if (r->version < f->since)
            continue;
        if (f->kind == KIND_UINT) {
            uint64_t v = uint_of(r, f);
            for (size_t k = 0; k < f->len; k++)
                out[f->offset + k] = (uint8_t)(v >> (8 * k));
        } else {
            memcpy(out + f->offset, (const uint8_t *)r + f->member, f->len);
        }
    }
}

/* Version 2 reports say nothing of the processor; then the layout of the lines that made them is
 * shown. */
static enum cvm_tcb_layout layout_of(const struct cvm_report *r)
{
    const struct cvm_line_info *line =
        cvm_line_info(cvm_line_by_cpuid(r->cpuid_family, r->cpuid_model));
    return r->version >= 3 && line ? line->layout : CVM_TCB_ZEN3;
}

static void value_text(const struct cvm_report *r, const struct field *f, struct cvm_buf *out)
{
    char line[128];
    if (f->kind == KIND_UINT) {
        snprintf(line, sizeof(line),
                 f->len == 8 || strcmp(f->name, "key_info") == 0 ? "0x%" PRIx64 : "%" PRIu64,
                 uint_of(r, f));
        cvm_buf_append_str(out, line);
        return;
    }
    const uint8_t *p = (const uint8_t *)r + f->member;
    CVM_AUTO_FREE char *hex = cvm_hex(p, f->len);
    cvm_buf_append_str(out, hex);
    if (f->kind == KIND_TCB) {
        struct cvm_tcb tcb = cvm_tcb_decode(p, layout_of(r));
        char text[96];
        cvm_buf_append_str(out, " (");
        cvm_buf_append_str(out, cvm_tcb_text(&tcb, text, sizeof(text)));
        cvm_buf_append_str(out, ")");
    }
}

static bool shown(const struct cvm_report *r, const struct field *f)
{
    return f->kind != KIND_ZERO && r->version >= f->since;
}

void cvm_report_print(const struct cvm_report *r, struct cvm_buf *out)
{
    for (size_t i = 0; i < FIELDS; i++) {
        const struct field *f = &fields[i];
        if (!shown(r, f))
            continue;
        char head[64];
        snprintf(head, sizeof(head), "%-20s ", f->name);
        cvm_buf_append_str(out, head);
        value_text(r, f, out);
        cvm_buf_append_str(out, "\n");
        uint64_t left = f->kind == KIND_UINT ? uint_of(r, f) : 0;
        bool has_bits = false;
        for (size_t b = 0; b < BITS; b++) {
            if (strcmp(bits[b].field, f->name) != 0)
                continue;
            has_bits = true;
            if (!(left >> bits[b].bit & 1))
                continue;
            left &= ~(1ULL << bits[b].bit);
            char line[128];
            snprintf(line, sizeof(line), "%-20s   bit %u %s: %s\n", "", bits[b].bit, bits[b].name,
                     bits[b].text);
            cvm_buf_append_str(out, line);
        }
        if (strcmp(f->name, "policy") == 0)
            left &= ~0xffffULL; /* the lowest ABI that is accepted, two numbers */
        if (strcmp(f->name, "key_info") == 0)
            left &= ~0x1cULL; /* the signer, a number */
        for (unsigned b = 0; has_bits && b < 64; b++)
            if (left >> b & 1) {
                char line[64];
                snprintf(line, sizeof(line), "%-20s   bit %u (no name known)\n", "", b);
                cvm_buf_append_str(out, line);
            }
    }
}

json_t *cvm_report_json(const struct cvm_report *r)
{
    json_t *o = json_object();
    for (size_t i = 0; i < FIELDS; i++) {
        const struct field *f = &fields[i];
        if (!shown(r, f))
            continue;
        if (f->kind == KIND_UINT && f->len < 8) {
            json_object_set_new(o, f->name, json_integer((json_int_t)uint_of(r, f)));
            continue;
        }
        if (f->kind == KIND_UINT) {
            char text[24];
            snprintf(text, sizeof(text), "0x%016" PRIx64, uint_of(r, f));
            json_object_set_new(o, f->name, json_string(text));
            continue;
        }
        CVM_AUTO_FREE char *hex = cvm_hex((const uint8_t *)r + f->member, f->len);
        json_object_set_new(o, f->name, json_string(hex));
    }
    return o;
}

size_t cvm_report_diff(const struct cvm_report *a, const struct cvm_report *b, struct cvm_buf *out)
{
    size_t n = 0;
    for (size_t i = 0; i < FIELDS; i++) {
        const struct field *f = &fields[i];
        if (f->kind == KIND_ZERO || (!shown(a, f) && !shown(b, f)))
            continue;
        CVM_AUTO_BUF struct cvm_buf x = {0}, y = {0};
        if (shown(a, f))
            value_text(a, f, &x);
        if (shown(b, f))
            value_text(b, f, &y);
        if (x.len == y.len && memcmp(x.data, y.data, x.len) == 0)
            continue;
        n++;
        cvm_buf_append_str(out, f->name);
        cvm_buf_append_str(out, ": ");
        cvm_buf_append_str(out, x.len ? cvm_buf_cstr(&x) : "(absent)");
        cvm_buf_append_str(out, " -> ");
        cvm_buf_append_str(out, y.len ? cvm_buf_cstr(&y) : "(absent)");
        cvm_buf_append_str(out, "\n");
    }
    return n;
}
