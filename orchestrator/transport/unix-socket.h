/* Unix sockets by paths of any length: sun_path has 108 bytes, a state folder may lie deeper. */
#ifndef CVM_TRANSPORT_UNIX_SOCKET_H
#define CVM_TRANSPORT_UNIX_SOCKET_H

#include "core/base/memory.h"

/* A connected stream socket. CVM_E_CONNECTION when nobody listens there. */
int cvm_unix_connect(const char *path, struct cvm_error *err) CVM_MUST_USE;

/* A listening socket, mode 0600. A socket file that nobody listens on is replaced; one that
 * somebody serves, and any other kind of file, is CVM_E_EXISTS. */
int cvm_unix_listen(const char *path, struct cvm_error *err) CVM_MUST_USE;

#endif
