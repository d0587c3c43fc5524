/* proxy_header.c: the header that a proxy sends before the bytes that it forwards. Pure. */
#pragma once

#include "address.h"
#include "http.h"

typedef struct {
  uint32_t len;       /* bytes of the header */
  bool has_source;    /* false: the proxy speaks for itself, or can't say for whom */
  address source;
  const char *reason; /* static text: why it is none */
} proxy_header;

/* bytes: the n that came first on a connection. HTTP_DONE: the header is over after out->len of
 * them. HTTP_MORE: there is nothing wrong with what came. HTTP_BAD: only out->reason is set. */
int proxy_header_parse(const char *bytes, size_t n, proxy_header *out);
