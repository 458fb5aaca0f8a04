#include "cli/acts.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "cli/file.h"

/* Two `2cvm release` at one time must not both find that nothing was released. */
static int lock_folder(const struct cli_collaboration *co, int *ret, struct cvm_error *err)
{
    CVM_AUTO_FREE char *path = cli_collaboration_path(co, ".lock");
    CVM_AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) < 0)
        return cvm_fail_errno(err, "locking %s", path);
    *ret = CVM_TAKE_FD(fd);
    return 0;
}

int cli_actor_open(const struct cli *c, struct cli_actor *ret, struct cvm_error *err)
{
    CLI_AUTO_ACTOR struct cli_actor a = {.lock = -1};
    CVM_GUARD(cli_collaboration_open(c, &a.co, err));
    CVM_GUARD(cli_identity_load(c, &a.me, err));
    CVM_GUARD(lock_folder(&a.co, &a.lock, err));
    CVM_GUARD(cli_record_load(&a.co, &a.record, err));
    CVM_GUARD(cli_client_open(c, &a.co, NULL, &a.client, err));
    *ret = a;
    a = (struct cli_actor){.lock = -1};
    ret->client.sign = &ret->me.sign;
    return 0;
}

void cli_actor_free(struct cli_actor *a)
{
    cli_client_close(&a->client);
    cli_identity_free(&a->me);
    cli_collaboration_free(&a->co);
    if (a->lock >= 0)
        close(a->lock);
    *a = (struct cli_actor){.lock = -1};
}

int cli_actor_session(const struct cli_actor *a, struct cvm_digest *ret, struct cvm_error *err)
{
    CVM_ENSURE(a->record.released, err, CVM_E_WRONG_PHASE,
               "you have not released to any session yet: first `2cvm release`");
    *ret = cvm_jwk_thumbprint(&a->record.sign, CVM_ED25519);
    return 0;
}

int cli_act_prepare(struct cli_actor *a, struct cvm_act *act, const struct cvm_digest *session,
                    const struct cvm_bundle *released, struct cvm_error *err)
{
    struct cli_record next = a->record;
    CVM_AUTO_BUF struct cvm_buf jws = {0};
    act->participant = a->co.me;
    act->seq = next.seq + 1;
    CVM_GUARD(cvm_act_make(a->co.manifest, session, act, &a->me.sign, &jws, err));
    CVM_AUTO_FREE char *path = cli_collaboration_path(&a->co, "acts/%s-%llu.jws", cli_my_id(&a->co),
                                                      (unsigned long long)act->seq);
    CVM_GUARD(cli_file_write(path, jws.data, jws.len, 0644, err));
    next.seq = act->seq;
    if (released) {
        next.released = true;
        next.sign = released->sign;
        next.seal = released->seal;
        memcpy(next.nonce, released->nonce, released->nonce_len);
        next.nonce_len = released->nonce_len;
        next.act_seq = act->seq;
        next.time = cli_now();
    }
    CVM_GUARD(cli_record_save(&a->co, &next, err));
    a->record = next;
    return 0;
}

static int read_act(const struct cli_actor *a, uint64_t seq, struct cvm_buf *ret,
                    struct cvm_error *err)
{
    CVM_AUTO_FREE char *path = cli_collaboration_path(&a->co, "acts/%s-%llu.jws", cli_my_id(&a->co),
                                                      (unsigned long long)seq);
    return cli_file_read(path, CVM_ACT_MAX, ret, err);
}

int cli_act_send(struct cli_actor *a, uint64_t seq, char **ret_state, struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf jws = {0};
    CVM_AUTO_BUF struct cvm_buf answer = {0};
    CVM_GUARD(read_act(a, seq, &jws, err));
    CVM_AUTO_FREE char *path =
        cvm_printf("/v1/collaborations/%s/acts", a->co.manifest->collaboration);
    CVM_GUARD(cli_client_call(&a->client, "POST", path, &CVM_BYTES(jws.data, jws.len),
                              "application/jose", &answer, NULL, err));
    if (ret_state) {
        CVM_AUTO_JSON json_t *json = json_loadb((const char *)answer.data, answer.len, 0, NULL);
        const char *state = json_string_value(json_object_get(json, "state"));
        char plain[64];
        *ret_state = cvm_strdup(cli_plain(state ? state : "", plain, sizeof plain));
    }
    return 0;
}

bool cli_act_accepted(struct cli_actor *a, uint64_t seq)
{
    CVM_AUTO_BUF struct cvm_buf mine = {0};
    CVM_AUTO_BUF struct cvm_buf theirs = {0};
    CVM_AUTO_FREE char *path =
        cvm_printf("/v1/collaborations/%s/acts/%s-%llu", a->co.manifest->collaboration,
                   cli_my_id(&a->co), (unsigned long long)seq);
    return read_act(a, seq, &mine, NULL) == 0 &&
           cli_client_call(&a->client, "GET", path, NULL, NULL, &theirs, NULL, NULL) == 0 &&
           mine.len == theirs.len && memcmp(mine.data, theirs.data, mine.len) == 0;
}
