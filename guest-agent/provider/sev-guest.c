/* Reports through /dev/sev-guest (Linux 5.19 and later; Documentation/virt/coco/sev-guest.rst):
 * where a kernel has no configfs-tsm. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "core/base/cursor.h"
#include "guest-agent/provider/rows.h"
#include "guest-agent/provider/snp.h"

#define DEVICE "/dev/sev-guest"
#define VMM_INVALID_LEN 1 /* the host has more certificates than our room */

/* The kernel's ABI, written down here because the headers of Debian 12 have an older form. */
struct report_request {
    uint8_t user_data[CVM_REPORT_DATA_LEN];
    uint32_t vmpl;
    uint8_t reserved[28]; /* firmware refuses other than zeros */
};
struct extended_request {
    struct report_request report;
    uint64_t certificates;
    uint32_t certificates_len; /* a multiple of 4096 */
    uint32_t unused;
};
struct guest_request {
    uint8_t version;
    uint64_t request, response;
    uint32_t firmware_error, host_error;
};
_Static_assert(sizeof(struct report_request) == 96, "ABI");
_Static_assert(sizeof(struct extended_request) == 112, "ABI");
_Static_assert(sizeof(struct guest_request) == 32, "ABI");
#define GET_REPORT _IOWR('S', 0, struct guest_request)
#define GET_EXT_REPORT _IOWR('S', 2, struct guest_request)
#define RESPONSE_LEN 4000
#define RESPONSE_HEADER 32 /* u32 status, u32 size of the report, zeros */

static int refused(const struct guest_request *g, int why, struct cvm_error *err)
{
    /* After most failures the kernel has destroyed the key of this guest: ENOTTY from then on. */
    return cvm_fail(err, CVM_E_PROVIDER, DEVICE ": %s (firmware 0x%x, host 0x%x)", strerror(why),
                    g->firmware_error, g->host_error);
}

static int read_response(const uint8_t *response, const uint8_t *report_data,
                         struct cvm_provider_report *ret, struct cvm_error *err)
{
    struct cvm_cursor c = cvm_cursor(response, RESPONSE_LEN);
    uint32_t status = cvm_cursor_u32le(&c), size = cvm_cursor_u32le(&c);
    (void)cvm_cursor_take(&c, RESPONSE_HEADER - 8);
    const uint8_t *report = cvm_cursor_take(&c, CVM_REPORT_LEN);
    CVM_ENSURE(status == 0, err, CVM_E_PROVIDER, "the processor gives no report: status 0x%x",
               status);
    CVM_ENSURE(report && size == CVM_REPORT_LEN, err, CVM_E_PROVIDER, "a report of %u bytes", size);
    CVM_GUARD(cvm_snp_check_report(report, report_data, err));
    memcpy(ret->report, report, CVM_REPORT_LEN);
    return 0;
}

int cvm_sev_guest_report(const struct cvm_sev_guest_calls *c,
                         const uint8_t report_data[CVM_REPORT_DATA_LEN],
                         struct cvm_provider_report *ret, struct cvm_error *err)
{
    CVM_AUTO_FREE uint8_t *response = cvm_alloc(RESPONSE_LEN);
    CVM_AUTO_FREE uint8_t *table = cvm_alloc(CVM_SNP_TABLE_MAX);
    struct extended_request x = {
        .certificates = (uint64_t)(uintptr_t)table,
        .certificates_len = CVM_SNP_TABLE_MAX,
    };
    memcpy(x.report.user_data, report_data, CVM_REPORT_DATA_LEN);
    struct guest_request g = {
        .version = 1,
        .request = (uint64_t)(uintptr_t)&x,
        .response = (uint64_t)(uintptr_t)response,
    };
    bool with_table = true;
    int r = c->ioctl(c->owner, GET_EXT_REPORT, &g);
    if (r == -EIO && g.host_error == VMM_INVALID_LEN) {
        /* No key is lost by this one. The certificates are a hint: do without. */
        with_table = false;
        g.firmware_error = g.host_error = 0;
        g.request = (uint64_t)(uintptr_t)&x.report;
        r = c->ioctl(c->owner, GET_REPORT, &g);
    }
    if (r < 0)
        return refused(&g, -r, err);
    if (g.firmware_error || g.host_error)
        return refused(&g, EIO, err);
    CVM_GUARD(read_response(response, report_data, ret, err));
    cvm_snp_take_certificates(table, with_table ? CVM_SNP_TABLE_MAX : 0, ret);
    return 0;
}

static int real_ioctl(void *owner, unsigned long request, void *arg)
{
    const int *fd = owner;
    return ioctl(*fd, request, arg) < 0 ? -errno : 0;
}

static bool present(void)
{
    return access(DEVICE, F_OK) == 0;
}

static int get_report(int device, const uint8_t report_data[CVM_REPORT_DATA_LEN],
                      struct cvm_provider_report *ret, struct cvm_error *err)
{
    (void)device;
    CVM_AUTO_CLOSE int fd = open(DEVICE, O_RDWR | O_CLOEXEC);
    CVM_ENSURE(fd >= 0, err, CVM_E_PROVIDER, DEVICE ": %s", strerror(errno));
    const struct cvm_sev_guest_calls real = {.owner = &fd, .ioctl = real_ioctl};
    return cvm_sev_guest_report(&real, report_data, ret, err);
}

const struct cvm_provider cvm_provider_sev_guest = {
    .name = "sev-guest",
    .platforms = {"sev-snp"},
    .present = present,
    .get_report = get_report,
};
