/*
 * Enters the walls exactly as 2cvm-cell does (or 2cvm-compile), then makes the attempt that
 * descriptor 0 orders. It answers on descriptor 1: a byte 'w' once the walls stand, then 'e' when
 * the attempt failed with an error, or 'o' (open) when it succeeded. When it is killed instead,
 * nothing follows the 'w'.
 */
#include "test/attack/cell/hostile.h"

#include <stdio.h>
#include <sys/stat.h>

#include "guest-agent/sandbox/sandbox.h"

#define X(name) &hostile_##name,
static const struct hostile_group *const groups[] = {HOSTILE_GROUPS(X)};
#undef X

static const struct hostile_attempt *find(uint32_t number)
{
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        if (number < groups[i]->n)
            return &groups[i]->attempts[number];
        number -= groups[i]->n;
    }
    return NULL;
}

/* One input of its own and one folder for outputs, as a cell has. */
static int fill(void)
{
    int fd = open("/in/rows", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0444);
    int r = fd >= 0 && write(fd, "rows", 4) == 4 ? 0 : -1;
    close(fd);
    return r;
}

static int enter(const struct hostile_order *order, struct cvm_sandbox_enter *spec,
                 struct cvm_error *err)
{
    if (order->place == IN_COMPILER)
        spec->profile = CVM_SANDBOX_COMPILE;
    CVM_GUARD(cvm_sandbox_enter(spec, err));
    if (order->place != IN_COMPILER)
        CVM_GUARD(fill());
    CVM_GUARD(cvm_sandbox_confine(spec, err));
    return order->place == IN_CELL ? cvm_sandbox_seal(spec, err) : 0;
}

int main(int argc, char **argv)
{
    struct cvm_error err = {0};
    struct cvm_sandbox_enter spec = {.profile = CVM_SANDBOX_CELL,
                                     .root_bytes = HOSTILE_ROOT_BYTES,
                                     .root_inodes = HOSTILE_INODES,
                                     .file_bytes = 2 * HOSTILE_ROOT_BYTES};
    struct hostile_order order;
    if (cvm_sandbox_have(argc, argv, &spec.have, &err) < 0 ||
        read(0, &order, sizeof order) != sizeof order || enter(&order, &spec, &err) < 0) {
        (void)dprintf(1, "%s (expected %s, got %s)", err.message, err.expected, err.got);
        return 2;
    }
    const struct hostile_attempt *attempt = find(order.attempt);
    char answer;
    if (write(1, "w", 1) != 1)
        return 2;
    if (!attempt) { /* the neighbour: waits until the judge has gone */
        (void)!read(0, &answer, 1);
        return 0;
    }
    answer = attempt->make(&order);
    return write(1, &answer, 1) == 1 ? 0 : 2;
}
