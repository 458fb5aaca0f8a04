/* Both ways to a hardware report against interfaces that behave as the kernel documents, and
 * against such that do not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guest-agent/provider/rows.h"
#include "guest-agent/provider/snp.h"

static const uint8_t question[CVM_REPORT_DATA_LEN] = {7, 7, 7, 1};

/* A table of three entries: a DER certificate of the processor, a PEM one, one of an unknown kind.
 */
static size_t make_table(uint8_t *out)
{
    static const uint8_t vcek[16] = {0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64,
                                     0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd};
    static const uint8_t ark[16] = {0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52,
                                    0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0, 0xae};
    memset(out, 0, 128);
    memcpy(out, vcek, 16);
    out[16] = 96, out[20] = 5;
    memcpy(out + 24, ark, 16);
    out[24 + 16] = 101, out[24 + 20] = 10;
    memset(out + 48, 0xee, 16);
    out[48 + 16] = 96, out[48 + 20] = 5;
    memcpy(out + 96, "\x30\x03\x02\x01\x05-----BEGIN", 15);
    return 111;
}

static void test_table(void **state)
{
    (void)state;
    uint8_t table[128];
    size_t len = make_table(table);
    CVM_AUTO_PROVIDER_REPORT struct cvm_provider_report r = {0};
    cvm_snp_take_certificates(table, len, &r);
    assert_int_equal(r.n_certificates, 1);
    assert_int_equal(r.certificates[0].len, 5);
    assert_memory_equal(r.certificates[0].data, "\x30\x03\x02\x01\x05", 5);
    cvm_provider_report_free(&r);
    /* Cut short, an offset outside, a length that wraps, none at all: no certificate, no fault. */
    cvm_snp_take_certificates(table, 72, &r);
    assert_int_equal(r.n_certificates, 0);
    table[17] = 0xff;
    cvm_snp_take_certificates(table, len, &r);
    assert_int_equal(r.n_certificates, 0);
    table[17] = 0;
    memset(table + 20, 0xff, 4);
    cvm_snp_take_certificates(table, len, &r);
    assert_int_equal(r.n_certificates, 0);
    cvm_snp_take_certificates(NULL, 0, &r);
    assert_int_equal(r.n_certificates, 0);
}

/* configfs-tsm as the kernel has it: every write counts a generation, a report is made when outblob
 * is read, attributes come in pieces as small as the test wishes. */
struct tsm {
    bool exists;
    unsigned made, dropped, opened;
    uint64_t generation;
    uint8_t inblob[CVM_REPORT_DATA_LEN];
    size_t inblob_len;
    char privlevel;
    uint8_t table[128];
    size_t table_len;
    /* The open handle: attribute and position. */
    char attribute[32];
    uint8_t content[CVM_SNP_TABLE_MAX * 2];
    size_t len, at;
    /* How this one differs. */
    const char *provider, *floor;
    size_t piece, report_len;
    int make_error, outblob_error;
    bool interrupts, intruder_before, intruder_after, other_answer, short_write, endless_table;
};

static int tsm_make(void *owner, const char *entry)
{
    struct tsm *t = owner;
    assert_string_equal(entry, "2cvm");
    if (t->make_error)
        return -t->make_error;
    if (t->exists)
        return -EEXIST;
    t->exists = true;
    t->made++;
    return 0;
}

static void tsm_drop(void *owner, const char *entry)
{
    struct tsm *t = owner;
    assert_string_equal(entry, "2cvm");
    assert_true(t->exists && !t->opened);
    t->exists = false;
    t->dropped++;
}

static int tsm_outblob(struct tsm *t)
{
    if (t->outblob_error)
        return -t->outblob_error;
    if (t->inblob_len != CVM_REPORT_DATA_LEN)
        return -EINVAL;
    t->len = t->report_len;
    memset(t->content, 0xab, t->len);
    memcpy(t->content + 0x50, t->inblob, CVM_REPORT_DATA_LEN);
    if (t->other_answer)
        t->content[0x50] ^= 1;
    if (t->intruder_after)
        t->generation++;
    return 0;
}

static int tsm_open(void *owner, const char *entry, const char *attribute, bool write)
{
    struct tsm *t = owner;
    assert_string_equal(entry, "2cvm");
    assert_true(t->exists && !t->opened);
    snprintf(t->attribute, sizeof t->attribute, "%s", attribute);
    t->at = t->len = 0;
    int r = 0;
    if (write)
        r = !strcmp(attribute, "inblob") || !strcmp(attribute, "privlevel") ? 0 : -EACCES;
    else if (!strcmp(attribute, "provider"))
        t->len = (size_t)snprintf((char *)t->content, 64, "%s\n", t->provider);
    else if (!strcmp(attribute, "privlevel_floor"))
        t->len = (size_t)snprintf((char *)t->content, 64, "%s\n", t->floor);
    else if (!strcmp(attribute, "generation"))
        t->len =
            (size_t)snprintf((char *)t->content, 64, "%llu\n", (unsigned long long)t->generation);
    else if (!strcmp(attribute, "outblob"))
        r = tsm_outblob(t);
    else if (!strcmp(attribute, "auxblob")) {
        memcpy(t->content, t->table, t->table_len);
        t->len = t->endless_table ? sizeof t->content : t->table_len;
    } else
        r = -ENOENT;
    if (r == 0)
        t->opened++;
    return r;
}

static ssize_t tsm_read(void *owner, int handle, void *buf, size_t size)
{
    struct tsm *t = owner;
    assert_int_equal(handle, 0);
    if (t->interrupts) {
        t->interrupts = false;
        return -EINTR;
    }
    size_t n = t->len - t->at;
    n = n > size ? size : n;
    n = t->piece && n > t->piece ? t->piece : n;
    memcpy(buf, t->content + t->at, n);
    t->at += n;
    return (ssize_t)n;
}

static ssize_t tsm_write(void *owner, int handle, const void *data, size_t len)
{
    struct tsm *t = owner;
    assert_int_equal(handle, 0);
    t->generation++;
    if (!strcmp(t->attribute, "privlevel")) {
        assert_int_equal(len, 1);
        t->privlevel = *(const char *)data;
        return 1;
    }
    assert_true(len <= sizeof t->inblob);
    memcpy(t->inblob, data, len);
    t->inblob_len = len;
    if (t->intruder_before)
        t->generation++;
    return t->short_write ? (ssize_t)len - 1 : (ssize_t)len;
}

static void tsm_close(void *owner, int handle)
{
    struct tsm *t = owner;
    (void)handle;
    t->opened--;
}

static struct tsm *tsm_new(struct tsm *t, struct cvm_tsm_calls *c)
{
    memset(t, 0, sizeof *t);
    t->provider = "sev_guest";
    t->floor = "0";
    t->report_len = CVM_REPORT_LEN;
    t->table_len = make_table(t->table);
    *c = (struct cvm_tsm_calls){t, tsm_make, tsm_drop, tsm_open, tsm_read, tsm_write, tsm_close};
    return t;
}

static struct tsm tsm;

static void test_tsm(void **state)
{
    (void)state;
    struct cvm_tsm_calls c;
    struct cvm_error err = {0};
    const size_t pieces[] = {0, 1, 7, 1183, 1184};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct tsm *t = tsm_new(&tsm, &c);
        t->piece = pieces[i];
        t->interrupts = true;
        CVM_AUTO_PROVIDER_REPORT struct cvm_provider_report r = {0};
        assert_int_equal(cvm_tsm_report(&c, question, &r, &err), 0);
        assert_memory_equal(r.report + 0x50, question, sizeof question);
        assert_int_equal(r.report[1183], 0xab);
        assert_int_equal(r.n_certificates, 1);
        assert_int_equal(t->privlevel, '0');
        assert_int_equal(t->made, 1);
        assert_int_equal(t->dropped, 1);
    }
    struct tsm *t = tsm_new(&tsm, &c);
    t->table_len = 0; /* what KVM delivers until Linux 6.19 */
    CVM_AUTO_PROVIDER_REPORT struct cvm_provider_report r = {0};
    assert_int_equal(cvm_tsm_report(&c, question, &r, &err), 0);
    assert_int_equal(r.n_certificates, 0);
    assert_true(cvm_tsm_present(&c));
    assert_false(t->exists);
}

static void tsm_refuses(const char *why, void (*change)(struct tsm *))
{
    struct cvm_tsm_calls c;
    struct tsm *t = tsm_new(&tsm, &c);
    change(t);
    struct cvm_error err = {0};
    struct cvm_provider_report r = {0}, zero = {0};
    assert_int_equal(cvm_tsm_report(&c, question, &r, &err), -1);
    assert_int_equal(err.code, CVM_E_PROVIDER);
    if (!strstr(err.message, why))
        fail_msg("%s, not: %s", err.message, why);
    assert_memory_equal(&r, &zero, sizeof r);
    assert_false(t->exists);
    assert_int_equal(t->made, t->dropped);
}

#define CHANGE(name, what)                                                                         \
    static void name(struct tsm *t)                                                                \
    {                                                                                              \
        what;                                                                                      \
    }
CHANGE(no_provider, t->make_error = ENXIO)
CHANGE(taken, t->make_error = EEXIST)
CHANGE(tdx, t->provider = "tdx_guest")
CHANGE(near, t->provider = "sev_guest2")
CHANGE(long_name, t->provider = "a-name-that-is-longer-than-any-provider-of-the-kernel")
CHANGE(svsm, t->floor = "2")
CHANGE(odd_floor, t->floor = "-0")
CHANGE(before, t->intruder_before = true)
CHANGE(after, t->intruder_after = true)
CHANGE(cut_report, t->report_len = CVM_REPORT_LEN - 1)
CHANGE(long_report, t->report_len = CVM_REPORT_LEN + 1)
CHANGE(no_report, t->report_len = 0x50 + 64)
CHANGE(firmware, t->outblob_error = EIO)
CHANGE(wrapped, t->outblob_error = EBUSY)
CHANGE(other, t->other_answer = true)
CHANGE(part, t->short_write = true)
CHANGE(endless, t->endless_table = true)

static void test_tsm_refuses(void **state)
{
    (void)state;
    tsm_refuses("no entry", no_provider);
    tsm_refuses("no entry", taken);
    tsm_refuses("another kind of machine", tdx);
    tsm_refuses("another kind of machine", near);
    tsm_refuses("too long", long_name);
    tsm_refuses("VMPL 0", svsm);
    tsm_refuses("no number", odd_floor);
    tsm_refuses("another one has asked", before);
    tsm_refuses("another one has asked", after);
    tsm_refuses("1183 bytes", cut_report);
    tsm_refuses("too long", long_report);
    tsm_refuses("144 bytes", no_report);
    tsm_refuses("outblob", firmware);
    tsm_refuses("outblob", wrapped);
    tsm_refuses("another question", other);
    tsm_refuses("in part", part);
    tsm_refuses("auxblob is too long", endless);

    struct cvm_tsm_calls c;
    tsm_new(&tsm, &c)->make_error = ENXIO;
    assert_false(cvm_tsm_present(&c));
    tsm_new(&tsm, &c)->provider = "tdx_guest";
    assert_false(cvm_tsm_present(&c));
    assert_false(tsm.exists);
}

/* /dev/sev-guest as the kernel has it, read by offsets, not by the structures of the code. */
struct device {
    unsigned calls;
    uint32_t status, size, firmware, host;
    int error;
    bool too_many, other_answer;
};

static int device_ioctl(void *owner, unsigned long request, void *arg)
{
    struct device *d = owner;
    uint8_t *g = arg;
    uint64_t in, out;
    d->calls++;
    assert_int_equal(g[0], 1);
    memcpy(&in, g + 8, 8);
    memcpy(&out, g + 16, 8);
    bool extended = request == 0xC0205302;
    assert_true(extended || request == 0xC0205300);
    const uint8_t *req = (const uint8_t *)(uintptr_t)in;
    uint8_t *resp = (uint8_t *)(uintptr_t)out;
    for (size_t i = 64; i < 96; i++)
        assert_int_equal(req[i], 0); /* VMPL 0, and zeros that firmware insists on */
    if (extended) {
        uint64_t table;
        uint32_t len;
        memcpy(&table, req + 96, 8);
        memcpy(&len, req + 104, 4);
        assert_int_equal(len % 4096, 0);
        assert_true(len > 0 && len <= 16384);
        if (d->too_many) {
            memcpy(g + 28, "\x01\0\0\0", 4);
            return -EIO;
        }
        make_table((uint8_t *)(uintptr_t)table);
    }
    memcpy(g + 24, &d->firmware, 4);
    memcpy(g + 28, &d->host, 4);
    if (d->error)
        return -d->error;
    memcpy(resp, &d->status, 4);
    memcpy(resp + 4, &d->size, 4);
    memset(resp + 32, 0xcd, CVM_REPORT_LEN);
    memcpy(resp + 32 + 0x50, req, 64);
    if (d->other_answer)
        resp[32 + 0x50 + 63] ^= 0x80;
    return 0;
}

static void test_device(void **state)
{
    (void)state;
    struct device d = {.size = CVM_REPORT_LEN};
    const struct cvm_sev_guest_calls c = {&d, device_ioctl};
    CVM_AUTO_PROVIDER_REPORT struct cvm_provider_report r = {0}, plain = {0};
    struct cvm_error err = {0};
    assert_int_equal(cvm_sev_guest_report(&c, question, &r, &err), 0);
    assert_memory_equal(r.report + 0x50, question, sizeof question);
    assert_int_equal(r.n_certificates, 1);
    assert_int_equal(d.calls, 1);
    /* More certificates than there is room for: a second, plain request. */
    d = (struct device){.size = CVM_REPORT_LEN, .too_many = true};
    assert_int_equal(cvm_sev_guest_report(&c, question, &plain, &err), 0);
    assert_memory_equal(plain.report + 0x50, question, sizeof question);
    assert_int_equal(plain.n_certificates, 0);
    assert_int_equal(d.calls, 2);
}

static void test_device_refuses(void **state)
{
    (void)state;
    const struct {
        struct device d;
        const char *why;
    } cases[] = {
        {{.size = CVM_REPORT_LEN, .status = 0x16}, "status 0x16"},
        {{.size = CVM_REPORT_LEN - 1}, "1183 bytes"},
        {{.size = 0}, "0 bytes"},
        {{.size = 0xffffffff}, "bytes"},
        {{.size = CVM_REPORT_LEN, .other_answer = true}, "another question"},
        {{.size = CVM_REPORT_LEN, .error = ENOTTY}, "Inappropriate"},
        {{.size = CVM_REPORT_LEN, .error = EIO, .firmware = 0x27}, "0x27"},
        {{.size = CVM_REPORT_LEN, .error = EIO, .host = 2}, "host 0x2"},
        {{.size = CVM_REPORT_LEN, .host = 3}, "host 0x3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct device d = cases[i].d;
        const struct cvm_sev_guest_calls c = {&d, device_ioctl};
        struct cvm_provider_report r = {0};
        struct cvm_error err = {0};
        assert_int_equal(cvm_sev_guest_report(&c, question, &r, &err), -1);
        assert_int_equal(err.code, CVM_E_PROVIDER);
        if (!strstr(err.message, cases[i].why))
            fail_msg("%s, not: %s", err.message, cases[i].why);
        assert_int_equal(r.n_certificates, 0);
        assert_int_equal(d.calls, 1); /* no second try that could lose the key */
    }
}

/* Hardware first, simulated last, and never a simulated row before a real one. */
static void test_order(void **state)
{
    (void)state;
    bool simulated = false;
    size_t n = 0;
    for (; cvm_provider_rows[n]; n++) {
        assert_true(!simulated || cvm_provider_rows[n]->simulated);
        simulated = cvm_provider_rows[n]->simulated;
    }
    assert_int_equal(n, 3);
    const struct cvm_provider *p = NULL;
    struct cvm_error err = {0};
    if (cvm_provider_find("sev-snp", &p, &err) == 0)
        assert_false(p->simulated);
    else
        assert_string_equal(err.message, "the machine lacks what the provider sev-guest needs");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),          cmocka_unit_test(test_tsm),
        cmocka_unit_test(test_tsm_refuses),    cmocka_unit_test(test_device),
        cmocka_unit_test(test_device_refuses), cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
