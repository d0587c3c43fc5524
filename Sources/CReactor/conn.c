/* stub for the base commit */
#include "internal.h"
int cr_listener_open(cr_loop *loop, const cr_listener_config *config, cr_server_callbacks callbacks, cr_listener **out, char *message) { (void)loop; (void)config; (void)callbacks; (void)out; message[0] = 0; return CR_ESTATE; }
uint16_t cr_listener_port(const cr_listener *l) { (void)l; return 0; }
uint32_t cr_listener_connections(const cr_listener *l) { (void)l; return 0; }
void cr_listener_close(cr_listener *l) { (void)l; }
int cr_tls_new(const char *a, const char *b, cr_tls **out, char *m) { (void)a; (void)b; (void)out; m[0] = 0; return CR_ESTATE; }
void cr_tls_free(cr_tls *t) { (void)t; }
const char *cr_conn_peer(const cr_conn *c) { (void)c; return ""; }
bool cr_conn_is_tls(const cr_conn *c) { (void)c; return false; }
int cr_request_read_body(cr_conn *c, size_t m) { (void)c; (void)m; return CR_ESTATE; }
int cr_respond(cr_conn *c, const cr_response *r) { (void)c; (void)r; return CR_ESTATE; }
int cr_respond_begin(cr_conn *c, const cr_response *r) { (void)c; (void)r; return CR_ESTATE; }
int cr_respond_write(cr_conn *c, const void *b, size_t n) { (void)c; (void)b; (void)n; return CR_ESTATE; }
void cr_respond_abort(cr_conn *c) { (void)c; }
cr_loop *conn_loop(const cr_conn *c) { (void)c; return NULL; }
uint64_t conn_body_remaining(const cr_conn *c) { (void)c; return 0; }
size_t conn_body_room(const cr_conn *c) { (void)c; return 0; }
int conn_body_append(cr_conn *c, const void *b, size_t n) { (void)c; (void)b; (void)n; return CR_ESTATE; }
int conn_set_feeder(cr_conn *c, const conn_feeder *f, void *x) { (void)c; (void)f; (void)x; return CR_ESTATE; }
