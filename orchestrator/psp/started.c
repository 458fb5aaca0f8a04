/* Reads the arguments that libvirt gives to QEMU. */
#include "orchestrator/psp/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* "-chardev socket,…,path=VHOST": the path is the last property, see the domain's template. */
static bool connects_to(const char *chardev, const char *vhost)
{
    size_t len = strlen(chardev), tail = strlen(vhost);
    return strncmp(chardev, "socket,", 7) == 0 && len > tail + 6 &&
           strcmp(chardev + len - tail, vhost) == 0 &&
           strncmp(chardev + len - tail - 6, ",path=", 6) == 0;
}

static int once(const char **field, const char *value, const char *name, struct cvm_error *err)
{
    CVM_ENSURE(!*field, err, CVM_E_PLATFORM, "the machine was started with more than one %s", name);
    *field = value;
    return 0;
}

static bool number(const char *text, const char *end_chars, uint64_t *ret, char *ret_end)
{
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (text[0] < '1' || text[0] > '9' || errno || !strchr(end_chars, *end))
        return false;
    *ret = v;
    *ret_end = *end;
    return true;
}

/* "2,sockets=2,…": libvirt always begins with the number, and names no more of them for later. */
static int read_processors(const char *smp, uint32_t *ret, struct cvm_error *err)
{
    uint64_t n = 0;
    char end;
    CVM_ENSURE(smp && number(smp, ",", &n, &end) && n <= 512 && !strstr(smp, "maxcpus"), err,
               CVM_E_PLATFORM, "the machine's number of processors cannot be told");
    *ret = (uint32_t)n;
    return 0;
}

/* "size=524288k", and newer ones "524288k"; no slots for more. */
static int read_memory(const char *m, uint64_t *ret, struct cvm_error *err)
{
    uint64_t kib = 0;
    char end = 0;
    const char *text = m && strncmp(m, "size=", 5) == 0 ? m + 5 : m;
    bool good = text && number(text, "kM", &kib, &end) && text[strcspn(text, "kM") + 1] == '\0';
    if (end == 'M')
        kib *= 1024;
    CVM_ENSURE(good && kib % 1024 == 0, err, CVM_E_PLATFORM, "the machine's memory cannot be told");
    *ret = kib / 1024;
    return 0;
}

int cvm_psp_started(const char *arguments, size_t len, const char *vhost,
                    struct cvm_psp_started *ret, struct cvm_error *err)
{
    struct cvm_psp_started s = {0};
    const char *smp = NULL, *memory = NULL, *chardev = NULL;
    const struct {
        const char *option, *name;
        const char **field;
    } table[] = {{"-kernel", "kernel", &s.kernel},
                 {"-initrd", "initramfs", &s.initrd},
                 {"-append", "command line", &s.append},
                 {"-smp", "number of processors", &smp},
                 {"-m", "size of memory", &memory}};
    struct cvm_error why = {0};
    int rc = 0;
    if (len == 0 || arguments[len - 1] != '\0')
        return 0;
    /* From pair to pair would be wrong: some options have no value. A value never is a name. */
    for (const char *a = arguments, *end = arguments + len; a < end; a += strlen(a) + 1) {
        const char *value = a + strlen(a) + 1;
        if (value >= end)
            break;
        if (strcmp(a, "-chardev") == 0 && connects_to(value, vhost))
            chardev = value;
        for (size_t i = 0; i < sizeof table / sizeof table[0] && rc == 0; i++)
            if (strcmp(a, table[i].option) == 0)
                rc = once(table[i].field, value, table[i].name, &why);
    }
    if (!chardev)
        return 0;
    if (rc < 0) {
        *err = why;
        return -1;
    }
    CVM_ENSURE(s.kernel && s.initrd && s.append, err, CVM_E_PLATFORM,
               "the machine was started without kernel, initramfs or command line");
    CVM_GUARD(read_processors(smp, &s.vcpus, err));
    CVM_GUARD(read_memory(memory, &s.memory_mib, err));
    *ret = s;
    return 1;
}
