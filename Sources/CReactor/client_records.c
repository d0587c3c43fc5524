/* client_records.c: how a connection's TLS records are read, once its handshake is done.
 *
 *   - OpenSSL asks for a record's head of five bytes, then for its body. A BIO before curl's fetches
 *     the next record's head together with a body, by one readv, and keeps it until it is asked for:
 *     one call for each record in place of two, and nothing is copied.
 *   - What is kept is never a whole record. curl 7.88 looks at the socket and at what is decrypted to
 *     learn whether there is more, so a record that stands complete in front of OpenSSL would never be
 *     read. (SSL_CTX_set_read_ahead keeps such ones: curl's loop ends as soon as the socket is empty.)
 *   - The descriptor read is our duplicate, for as long as curl's is open. Whatever is not simply
 *     bytes or "none yet" is curl's own BIO's to find out.
 *   - It stands on the socket itself, so only the first TLS session of a connection gets one: the one
 *     with the proxy, where there is TLS inside TLS.
 */
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "client.h"

enum { RECORD_HEAD_BYTES = SSL3_RT_HEADER_LENGTH };

struct client_records {
  client_socket *socket; /* NULL once curl has closed it */
  uint8_t kept[RECORD_HEAD_BYTES];
  uint8_t at, len; /* of kept: what is still to be delivered */
};

static uv_once_t records_initialised = UV_ONCE_INIT;
static BIO_METHOD *records_method; /* NULL: connections do without */
static int handle_index;           /* of the client_handle in an SSL_CTX */

void client_records_detach(client_records *records) { records->socket = NULL; }

static int records_take_kept(client_records *records, char *to, int n) {
  int part = records->len - records->at;
  if (part > n) part = n;
  memcpy(to, records->kept + records->at, (size_t)part);
  records->at += (uint8_t)part;
  return part;
}

static int records_read(BIO *bio, char *to, int n) {
  client_records *records = BIO_get_data(bio);
  BIO *next = BIO_next(bio);
  BIO_clear_retry_flags(bio);
  if (!to || n <= 0) return 0;
  if (records->at < records->len) return records_take_kept(records, to, n);
  int reason = 0;
  if (records->socket) {
    /* Asked for more than a head, it is all that a record lacks. */
    struct iovec parts[2] = {{to, (size_t)n}, {records->kept, RECORD_HEAD_BYTES}};
    ssize_t got = readv(records->socket->polled_fd, parts, n > RECORD_HEAD_BYTES ? 2 : 1);
    if (got > 0) {
      records->at = 0;
      records->len = got > n ? (uint8_t)(got - n) : 0;
      return got > n ? n : (int)got;
    }
    reason = got < 0 ? errno : 0;
    if (reason == EAGAIN || reason == EINTR) {
      BIO_set_retry_read(bio);
      return -1;
    }
  }
  /* curl judges a failure by how its own BIO's last call ended. */
  int got = BIO_read(next, to, n);
  BIO_copy_next_retry(bio);
  if (reason == 0) return got;
  BIO_clear_retry_flags(bio);
  errno = reason; /* the socket tells it only once */
  return -1;
}

static long records_control(BIO *bio, int command, long number, void *pointer) {
  BIO *next = BIO_next(bio);
  return next ? BIO_ctrl(next, command, number, pointer) : 0;
}

static int records_destroy(BIO *bio) {
  client_records *records = BIO_get_data(bio);
  if (records && records->socket) records->socket->records = NULL;
  free(records);
  BIO_set_data(bio, NULL);
  return 1;
}

/* Puts one in front of what the session has read through so far. */
static void records_attach(SSL *ssl, client_socket *socket) {
  BIO *bio = BIO_new(records_method), *curls = SSL_get_rbio(ssl);
  client_records *records = calloc(1, sizeof *records);
  if (!bio || !records) {
    BIO_free(bio);
    free(records);
    return;
  }
  records->socket = socket;
  socket->records = records;
  BIO_set_data(bio, records);
  BIO_set_init(bio, 1);
  BIO_up_ref(curls); /* the session gives up the one that it had for reading */
  SSL_set0_rbio(ssl, BIO_push(bio, curls));
}

static void records_on_ssl_state(const SSL *const_ssl, int where, int unused) {
  (void)unused;
  if (!(where & SSL_CB_HANDSHAKE_DONE)) return;
  SSL_CTX *context = SSL_get_SSL_CTX(const_ssl);
  client_handle *handle = SSL_CTX_get_ex_data(context, handle_index);
  /* A connection has a context of its own. What TLS 1.3 calls a handshake later is none. */
  SSL_CTX_set_ex_data(context, handle_index, NULL);
  SSL_CTX_set_info_callback(context, NULL);
  client_socket *socket = handle ? client_take_new_socket(handle) : NULL;
  if (socket) records_attach((SSL *)(uintptr_t)const_ssl, socket);
}

/* Only of these versions is it known that curl keeps nothing unread below its BIO. */
static bool records_suit_curl(void) {
  unsigned version = curl_version_info(CURLVERSION_NOW)->version_num;
  return version >> 8 == 0x758;
}

static void records_initialise(void) {
  if (!records_suit_curl()) return;
  handle_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
  BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_FILTER, "TLS records");
  if (handle_index < 0 || !method) {
    BIO_meth_free(method);
    return;
  }
  BIO_meth_set_read(method, records_read);
  BIO_meth_set_ctrl(method, records_control);
  BIO_meth_set_destroy(method, records_destroy);
  records_method = method;
}

void client_records_expect(client_handle *handle, SSL_CTX *context) {
  uv_once(&records_initialised, records_initialise);
  if (!records_method) return;
  if (SSL_CTX_set_ex_data(context, handle_index, handle))
    SSL_CTX_set_info_callback(context, records_on_ssl_state);
}
