/* tls.c: OpenSSL under a connection, which sees plaintext only.
 *
 *   - OpenSSL neither reads nor writes a socket: its BIO takes the ciphertext that was just read
 *     and appends what it produces to the connection's queue, one chunk a record, so that body
 *     bytes can be counted when their record is out.
 *   - Plaintext goes straight into the connection's buffer. When that is full the ciphertext left
 *     is saved and reading stops.
 *   - A connection keeps the identity that it began with, whatever its listener has meanwhile.
 *   - Sessions are resumed by tickets only: nothing is kept for clients that may never come back.
 */
#define _GNU_SOURCE 1 /* timegm */
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conn.h"

/* ---- context ---- */

static int select_http(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *offered, unsigned offered_len, void *unused) {
  static const unsigned char http[] = "\x08http/1.1";
  (void)ssl, (void)unused;
  unsigned char *chosen;
  if (SSL_select_next_proto(&chosen, out_len, http, sizeof http - 1, offered, offered_len) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301 3.2 */
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

static int tls_bio_read(BIO *bio, char *out, int n) {
  conn_tls *t = ((cr_conn *)BIO_get_data(bio))->tls;
  BIO_clear_retry_flags(bio);
  size_t take = t->in_len < (size_t)n ? t->in_len : (size_t)n;
  if (take == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  memcpy(out, t->in, take);
  t->in += take;
  t->in_len -= take;
  return (int)take;
}

static int tls_bio_write(BIO *bio, const char *bytes, int n) {
  BIO_clear_retry_flags(bio);
  return out_append(BIO_get_data(bio), bytes, (size_t)n, 0, true) ? n : -1;
}

static long tls_bio_ctrl(BIO *bio, int command, long number, void *pointer) {
  (void)bio, (void)number, (void)pointer;
  return command == BIO_CTRL_FLUSH;
}

static int tls_fail(cr_tls *tls, char *message, const char *what, const char *file) {
  unsigned long code = ERR_peek_last_error();
  const char *reason = ERR_reason_error_string(code);
  snprintf(message, CR_MESSAGE_BYTES, "can't use %s%s%s: %s", what, *file ? " " : "", file,
           reason ? reason : "unknown reason");
  ERR_clear_error();
  cr_tls_free(tls);
  return CR_ETLS;
}

static bool tls_configure(cr_tls *tls) {
  tls->context = SSL_CTX_new(TLS_server_method());
  tls->bio = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "cr_conn");
  if (!tls->context || !tls->bio) return false;
  BIO_meth_set_read(tls->bio, tls_bio_read);
  BIO_meth_set_write(tls->bio, tls_bio_write);
  BIO_meth_set_ctrl(tls->bio, tls_bio_ctrl);
  SSL_CTX_set_mode(tls->context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_options(tls->context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                        SSL_OP_CIPHER_SERVER_PREFERENCE |
                                        SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_session_cache_mode(tls->context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_select_cb(tls->context, select_http, NULL);
  static const unsigned char session_context[] = "cr_listener";
  return SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION) &&
         SSL_CTX_set_cipher_list(tls->context, "ECDHE+AESGCM:ECDHE+CHACHA20") &&
         SSL_CTX_set1_groups_list(tls->context, "X25519:P-256:P-384") &&
         SSL_CTX_set_session_id_context(tls->context, session_context,
                                        sizeof session_context - 1);
}

int cr_tls_new(const char *certificate_file, const char *key_file, uint64_t ticket_key_ms,
               cr_tls **out, char *message) {
  message[0] = '\0';
  cr_tls *tls = calloc(1, sizeof *tls);
  if (!tls) {
    snprintf(message, CR_MESSAGE_BYTES, "out of memory");
    return CR_EMEMORY;
  }
  tls->references = 1;
  tls->ticket_key_ms = ticket_key_ms;
  ERR_clear_error();
  if (!tls_configure(tls)) return tls_fail(tls, message, "TLS", "");
  if (SSL_CTX_use_certificate_chain_file(tls->context, certificate_file) != 1)
    return tls_fail(tls, message, "the certificate file", certificate_file);
  /* A key of another certificate is refused here. */
  if (SSL_CTX_use_PrivateKey_file(tls->context, key_file, SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(tls->context) != 1)
    return tls_fail(tls, message, "the key file", key_file);
  *out = tls;
  return CR_OK;
}

void cr_tls_free(cr_tls *tls) {
  if (!tls || --tls->references > 0) return;
  SSL_CTX_free(tls->context);
  BIO_meth_free(tls->bio);
  free(tls);
}

int64_t cr_tls_expiry(const cr_tls *tls) {
  struct tm end;
  const X509 *certificate = SSL_CTX_get0_certificate(tls->context);
  if (!certificate || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1) return 0;
  return timegm(&end);
}

/* ---- connection ---- */

/* A key that was in use for ever would open every session that was ever recorded. */
static void tls_turn_ticket_key(cr_tls *tls, uint64_t now) {
  unsigned char keys[80]; /* of OpenSSL's own callback: a name and two keys */
  if (now < tls->ticket_key_until) return;
  if (tls->ticket_key_until && RAND_priv_bytes(keys, sizeof keys) == 1)
    SSL_CTX_set_tlsext_ticket_keys(tls->context, keys, sizeof keys);
  OPENSSL_cleanse(keys, sizeof keys);
  tls->ticket_key_until = now + tls->ticket_key_ms;
}

bool tls_attach(cr_conn *conn) {
  conn_tls *t = calloc(1, sizeof *t);
  if (!t) return false;
  conn->tls = t;
  t->identity = conn->listener->tls;
  t->identity->references++;
  tls_turn_ticket_key(t->identity, uv_now(&conn->listener->loop->uv));
  t->ssl = SSL_new(t->identity->context);
  BIO *bio = t->ssl ? BIO_new(t->identity->bio) : NULL;
  if (!bio) return false; /* tls_detach frees the rest */
  BIO_set_data(bio, conn);
  BIO_set_init(bio, 1);
  SSL_set_bio(t->ssl, bio, bio);
  SSL_set_accept_state(t->ssl);
  return true;
}

void tls_detach(cr_conn *conn) {
  if (!conn->tls) return;
  SSL_free(conn->tls->ssl);
  cr_tls_free(conn->tls->identity);
  free(conn->tls->saved);
  free(conn->tls);
  conn->tls = NULL;
}

bool tls_has_begun(const cr_conn *conn) { return !SSL_in_before(conn->tls->ssl); }

/* The peer broke the protocol: it gets the alert that OpenSSL has queued, and is gone. */
static void tls_break(cr_conn *conn) {
  ERR_clear_error();
  conn_flush(conn);
  conn_lost(conn);
}

static bool tls_handshake(cr_conn *conn) {
  ERR_clear_error();
  int result = SSL_do_handshake(conn->tls->ssl);
  if (result == 1) {
    conn->state = CONN_IDLE;
    return true;
  }
  if (SSL_get_error(conn->tls->ssl, result) != SSL_ERROR_WANT_READ) tls_break(conn);
  return false;
}

/* Decrypts what there is, as far as the connection's buffer has room. */
static void tls_decrypt(cr_conn *conn) {
  conn_tls *t = conn->tls;
  t->more = false;
  for (;;) {
    if (!conn_make_room(conn)) {
      t->more = conn_in_is_full(conn);
      if (!t->more) conn_lost(conn); /* no memory */
      return;
    }
    ERR_clear_error();
    int n = SSL_read(t->ssl, conn->in + conn->in_used, (int)(conn->in_capacity - conn->in_used));
    if (n > 0) {
      conn->in_used += (uint32_t)n;
      continue;
    }
    int error = SSL_get_error(t->ssl, n);
    if (error == SSL_ERROR_ZERO_RETURN) conn->eof = true;
    else if (error != SSL_ERROR_WANT_READ) tls_break(conn);
    return;
  }
}

static void tls_take(cr_conn *conn, const char *bytes, size_t n) {
  conn_tls *t = conn->tls;
  t->in = bytes;
  t->in_len = n;
  if (conn->state != CONN_HANDSHAKE || tls_handshake(conn)) tls_decrypt(conn);
}

void tls_input(cr_conn *conn, const char *bytes, size_t n) {
  conn_tls *t = conn->tls;
  tls_take(conn, bytes, n);
  if (t->in_len > 0 && t->more) {
    t->saved = malloc(t->in_len);
    if (t->saved) memcpy(t->saved, t->in, t->in_len);
    else conn_lost(conn);
  }
  if (!t->saved) t->in_len = 0;
  t->in = t->saved;
  conn_flush(conn);
}

bool tls_can_continue(const cr_conn *conn) {
  return conn->tls && conn->tls->more && !conn->dead && !conn_in_is_full(conn) &&
         conn->state != CONN_CLOSING;
}

void tls_continue(cr_conn *conn) {
  conn_tls *t = conn->tls;
  tls_decrypt(conn); /* reads on in t->in, which is what was saved */
  if (t->in_len == 0) {
    free(t->saved);
    t->saved = NULL;
    t->in = NULL;
  }
  conn_flush(conn);
}

void tls_send(cr_conn *conn, const uv_buf_t *bufs, unsigned count, size_t body) {
  char plain[SSL3_RT_MAX_PLAIN_LENGTH];
  size_t total = 0, at = 0;
  unsigned i = 0;
  for (unsigned k = 0; k < count; k++) total += bufs[k].len;
  while (total > 0) {
    size_t n = 0;
    while (n < sizeof plain && n < total) {
      size_t part = bufs[i].len - at;
      if (part > sizeof plain - n) part = sizeof plain - n;
      if (part > 0) memcpy(plain + n, bufs[i].base + at, part);
      n += part;
      at += part;
      if (at == bufs[i].len) i++, at = 0;
    }
    ERR_clear_error();
    if (SSL_write(conn->tls->ssl, plain, (int)n) != (int)n) {
      tls_break(conn);
      return;
    }
    /* Of the n bytes those that are among the last `body` of all. */
    size_t others = total > body ? total - body : 0;
    conn->out_last->body = n > others ? (uint32_t)(n - others) : 0;
    total -= n;
  }
  conn_flush(conn);
}

void tls_close_notify(cr_conn *conn) {
  conn->tls->more = false; /* what is still to be decrypted is for nobody */
  if (!SSL_is_init_finished(conn->tls->ssl)) return;
  ERR_clear_error();
  SSL_shutdown(conn->tls->ssl); /* the client's own close_notify is not waited for */
  ERR_clear_error();
  conn_flush(conn);
}
