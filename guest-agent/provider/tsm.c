/* Reports through configfs-tsm (Linux 6.7 and later; Documentation/ABI/testing/configfs-tsm). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "guest-agent/provider/rows.h"
#include "guest-agent/provider/snp.h"

#define FOLDER "/sys/kernel/config/tsm/report"
#define ENTRY "2cvm" /* one agent a guest, one request at a time */
#define PROVIDER "sev_guest"

/* The whole attribute; one byte of room more than it may have shows that it has more. */
static ssize_t read_all(const struct cvm_tsm_calls *c, const char *attribute, void *buf,
                        size_t size, struct cvm_error *err)
{
    int h = c->open(c->owner, ENTRY, attribute, false);
    CVM_ENSURE(h >= 0, err, CVM_E_PROVIDER, "configfs-tsm: %s: %s", attribute, strerror(-h));
    size_t n = 0;
    ssize_t got = 1;
    while (n < size) {
        got = c->read(c->owner, h, (uint8_t *)buf + n, size - n);
        if (got == -EINTR)
            continue;
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    c->close(c->owner, h);
    CVM_ENSURE(got >= 0, err, CVM_E_PROVIDER, "configfs-tsm: %s: %s", attribute,
               strerror((int)-got));
    CVM_ENSURE(n < size, err, CVM_E_PROVIDER, "configfs-tsm: %s is too long", attribute);
    return (ssize_t)n;
}

static int read_text(const struct cvm_tsm_calls *c, const char *attribute, char *buf, size_t size,
                     struct cvm_error *err)
{
    ssize_t n = read_all(c, attribute, buf, size, err);
    CVM_GUARD(n);
    buf[n] = 0;
    buf[strcspn(buf, "\n")] = 0;
    return 0;
}

static int read_number(const struct cvm_tsm_calls *c, const char *attribute, uint64_t *ret,
                       struct cvm_error *err)
{
    char text[32], *end;
    CVM_GUARD(read_text(c, attribute, text, sizeof text, err));
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    CVM_ENSURE(text[0] >= '0' && text[0] <= '9' && !*end && !errno, err, CVM_E_PROVIDER,
               "configfs-tsm: %s is no number", attribute);
    *ret = v;
    return 0;
}

/* One write, whole: the kernel takes a blob in one piece. */
static int write_whole(const struct cvm_tsm_calls *c, const char *attribute, const void *data,
                       size_t len, struct cvm_error *err)
{
    int h = c->open(c->owner, ENTRY, attribute, true);
    CVM_ENSURE(h >= 0, err, CVM_E_PROVIDER, "configfs-tsm: %s: %s", attribute, strerror(-h));
    ssize_t n = c->write(c->owner, h, data, len);
    c->close(c->owner, h);
    CVM_ENSURE(n == (ssize_t)len, err, CVM_E_PROVIDER, "configfs-tsm: %s: %s", attribute,
               n < 0 ? strerror((int)-n) : "taken in part");
    return 0;
}

static int check_provider(const struct cvm_tsm_calls *c, struct cvm_error *err)
{
    char name[32];
    CVM_GUARD(read_text(c, "provider", name, sizeof name, err));
    if (strcmp(name, PROVIDER) != 0)
        return cvm_fail_expected(err, CVM_E_PROVIDER, PROVIDER, name,
                                 "configfs-tsm speaks for another kind of machine");
    return 0;
}

/* Above VMPL 0 something else of the host's choice would run below us. */
static int check_level(const struct cvm_tsm_calls *c, struct cvm_error *err)
{
    uint64_t floor;
    CVM_GUARD(read_number(c, "privlevel_floor", &floor, err));
    if (floor != 0)
        return cvm_fail_expected(err, CVM_E_PROVIDER, "0", "above 0",
                                 "this guest does not run at VMPL 0");
    return 0;
}

static int expect_generation(const struct cvm_tsm_calls *c, uint64_t want, struct cvm_error *err)
{
    uint64_t now;
    CVM_GUARD(read_number(c, "generation", &now, err));
    CVM_ENSURE(now == want, err, CVM_E_PROVIDER,
               "configfs-tsm: another one has asked through the same entry");
    return 0;
}

static int ask(const struct cvm_tsm_calls *c, const uint8_t report_data[CVM_REPORT_DATA_LEN],
               struct cvm_provider_report *ret, uint8_t *table, size_t *ret_table,
               struct cvm_error *err)
{
    uint64_t generation;
    uint8_t report[CVM_REPORT_LEN + 1];
    CVM_GUARD(check_provider(c, err));
    CVM_GUARD(check_level(c, err));
    CVM_GUARD(read_number(c, "generation", &generation, err));
    CVM_GUARD(write_whole(c, "privlevel", "0", 1, err));
    CVM_GUARD(write_whole(c, "inblob", report_data, CVM_REPORT_DATA_LEN, err));
    /* Each write counts one; nobody else's may be among them, before or after the report. */
    CVM_GUARD(expect_generation(c, generation + 2, err));
    ssize_t n = read_all(c, "outblob", report, sizeof report, err);
    CVM_GUARD(n);
    CVM_ENSURE(n == CVM_REPORT_LEN, err, CVM_E_PROVIDER, "configfs-tsm: a report of %zd bytes", n);
    n = read_all(c, "auxblob", table, CVM_SNP_TABLE_MAX + 1, err);
    CVM_GUARD(n);
    CVM_GUARD(expect_generation(c, generation + 2, err));
    CVM_GUARD(cvm_snp_check_report(report, report_data, err));
    memcpy(ret->report, report, CVM_REPORT_LEN);
    *ret_table = (size_t)n;
    return 0;
}

int cvm_tsm_report(const struct cvm_tsm_calls *c, const uint8_t report_data[CVM_REPORT_DATA_LEN],
                   struct cvm_provider_report *ret, struct cvm_error *err)
{
    int r = c->make(c->owner, ENTRY);
    CVM_ENSURE(r >= 0, err, CVM_E_PROVIDER, "configfs-tsm gives no entry: %s", strerror(-r));
    CVM_AUTO_FREE uint8_t *table = cvm_alloc(CVM_SNP_TABLE_MAX + 1);
    size_t len = 0;
    r = ask(c, report_data, ret, table, &len, err);
    c->drop(c->owner, ENTRY);
    if (r == 0)
        cvm_snp_take_certificates(table, len, ret);
    return r;
}

bool cvm_tsm_present(const struct cvm_tsm_calls *c)
{
    if (c->make(c->owner, ENTRY) < 0) /* the folder is also there where no hardware is */
        return false;
    bool good = check_provider(c, NULL) == 0;
    c->drop(c->owner, ENTRY);
    return good;
}

/* The real one. */

static int real_make(void *owner, const char *entry)
{
    (void)owner;
    char path[128];
    snprintf(path, sizeof path, "%s/%s", FOLDER, entry);
    return mkdir(path, 0700) < 0 ? -errno : 0;
}

static void real_drop(void *owner, const char *entry)
{
    (void)owner;
    char path[128];
    snprintf(path, sizeof path, "%s/%s", FOLDER, entry);
    (void)rmdir(path);
}

static int real_open(void *owner, const char *entry, const char *attribute, bool write)
{
    (void)owner;
    char path[128];
    snprintf(path, sizeof path, "%s/%s/%s", FOLDER, entry, attribute);
    int fd = open(path, (write ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static ssize_t real_read(void *owner, int handle, void *buf, size_t size)
{
    (void)owner;
    ssize_t n = read(handle, buf, size);
    return n < 0 ? -errno : n;
}

static ssize_t real_write(void *owner, int handle, const void *data, size_t len)
{
    (void)owner;
    ssize_t n = write(handle, data, len);
    return n < 0 ? -errno : n;
}

static void real_close(void *owner, int handle)
{
    (void)owner;
    close(handle); /* configfs takes a blob at the end: a fault shows in what follows */
}

static const struct cvm_tsm_calls real = {
    .make = real_make,
    .drop = real_drop,
    .open = real_open,
    .read = real_read,
    .write = real_write,
    .close = real_close,
};

static bool present(void)
{
    return cvm_tsm_present(&real);
}

static int get_report(int device, const uint8_t report_data[CVM_REPORT_DATA_LEN],
                      struct cvm_provider_report *ret, struct cvm_error *err)
{
    (void)device;
    return cvm_tsm_report(&real, report_data, ret, err);
}

const struct cvm_provider cvm_provider_tsm = {
    .name = "configfs-tsm",
    .platforms = {"sev-snp"},
    .present = present,
    .get_report = get_report,
};
