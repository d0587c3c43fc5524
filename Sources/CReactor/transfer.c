/* stub for the base commit */
#include "internal.h"
int cr_respond_relay(cr_conn *c, cr_transfer *t, uint64_t s) { (void)c; (void)t; (void)s; return CR_ESTATE; }
int cr_client_new(cr_loop *l, const cr_client_config *c, cr_client **o, char *m) { (void)l; (void)c; (void)o; m[0] = 0; return CR_ESTATE; }
void cr_client_close(cr_client *c) { (void)c; }
int cr_transfer_start(cr_client *c, const cr_transfer_request *r, cr_transfer_callbacks b, void *u, cr_transfer **o) { (void)c; (void)r; (void)b; (void)u; (void)o; return CR_ESTATE; }
int cr_transfer_collect(cr_transfer *t, size_t m) { (void)t; (void)m; return CR_ESTATE; }
void cr_transfer_cancel(cr_transfer *t) { (void)t; }
