/* conn_proxy.c: the PROXY header before everything else of a connection, TLS included.
 *
 *   - A peer in the listener's networks must send one, in time; from others none is taken: its
 *     bytes are then a malformed request, or no TLS.
 *   - A connection that is refused is reset, so that the proxy notices; no request has come then,
 *     and what the operator sees is on_refused. One that ends without a byte is a health check.
 *   - TLS is attached behind the header: until then nothing but the header is kept.
 */
#include <stdlib.h>

#include "conn.h"
#include "proxy_header.h"

bool proxy_is_due(const cr_listener *l, const cr_conn *conn) {
  address peer = address_from_bytes(conn->peer_address, conn->peer_family == AF_INET);
  return address_in_networks(&peer, l->proxies, l->proxy_count);
}

void proxy_refuse(cr_conn *conn, const char *reason) {
  const cr_server_callbacks *callbacks = &conn->listener->callbacks;
  char peer[INET6_ADDRSTRLEN];
  address from = address_from_bytes(conn->peer_address, conn->peer_family == AF_INET);
  address_text(&from, peer, sizeof peer);
  conn->reset = true;
  conn_close(conn);
  if (callbacks->on_refused) callbacks->on_refused(callbacks->context, peer, reason);
}

/* What came behind the header is the handshake's. */
static void proxy_start_tls(cr_conn *conn) {
  char *bytes = conn->in;
  uint32_t at = conn->in_at, n = conn->in_used - conn->in_at;
  conn->in = NULL;
  conn->in_at = conn->in_used = conn->in_capacity = 0;
  conn->state = CONN_HANDSHAKE;
  if (!tls_attach(conn)) conn_close(conn);
  else if (n > 0) tls_input(conn, bytes + at, n);
  free(bytes);
}

bool proxy_step(cr_conn *conn) {
  uint32_t n = conn->in_used - conn->in_at;
  proxy_header header;
  switch (n > 0 ? proxy_header_parse(conn->in + conn->in_at, n, &header) : HTTP_MORE) {
  case HTTP_DONE: break;
  case HTTP_BAD: proxy_refuse(conn, header.reason); return false;
  default:
    if (conn->eof && n == 0) conn_close(conn);
    else if (conn->eof) proxy_refuse(conn, "a PROXY header that breaks off");
    return false;
  }
  conn->has_client = header.has_source;
  conn->client = header.source;
  conn_consume(conn, header.len);
  if (conn->listener->tls) proxy_start_tls(conn);
  else conn->state = CONN_IDLE;
  return conn->state != CONN_CLOSING;
}
