#include "guest-agent/sandbox/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

#define MDWE_REFUSE_EXEC_GAIN 1

int cvm_sandbox_own_core(struct cvm_error *err)
{
    if (prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0, PR_SCHED_CORE_SCOPE_THREAD, 0) == 0 ||
        errno == ENODEV) /* no core has two threads */
        return 0;
    return cvm_fail(err, CVM_E_SANDBOX, "core scheduling: %s", strerror(errno));
}

static int switch_off(unsigned long what, const char *name, struct cvm_error *err)
{
    /* The answer to this tells less than what the kernel says of it afterwards. */
    (void)prctl(PR_SET_SPECULATION_CTRL, what, PR_SPEC_FORCE_DISABLE, 0, 0);
    int is = prctl(PR_GET_SPECULATION_CTRL, what, 0, 0, 0);
    if (is == PR_SPEC_NOT_AFFECTED ||
        (is > 0 && (is & (PR_SPEC_DISABLE | PR_SPEC_FORCE_DISABLE)) != 0))
        return 0;
    return cvm_fail(err, CVM_E_SANDBOX, "%s cannot be switched off", name);
}

int cvm_sandbox_no_speculation(struct cvm_error *err)
{
    CVM_GUARD(switch_off(PR_SPEC_STORE_BYPASS, "store bypass", err));
    return switch_off(PR_SPEC_INDIRECT_BRANCH, "indirect-branch prediction", err);
}

int cvm_sandbox_no_new_code(struct cvm_error *err)
{
    if (prctl(PR_SET_MDWE, MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) == 0 || errno == EINVAL)
        return 0; /* set, or a kernel without it */
    return cvm_fail(err, CVM_E_SANDBOX, "new code: %s", strerror(errno));
}
