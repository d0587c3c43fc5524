/* HTTP/1.x on bytes: pure functions that neither allocate nor do I/O (but for the clock of Date).
 * Each parser can be stopped after any byte and gives the same result however the bytes come. */
#pragma once

#include "CReactor.h"
#include "limits.h"

#pragma clang diagnostic ignored "-Wnullability-completeness"

enum { HTTP_MORE = 0, HTTP_DONE = 1, HTTP_BAD = -1 };

/* ---- request head (http_parse.c) ---- */

typedef struct {
  cr_head head; /* base is left to the caller: the bytes + start */
  uint32_t start;      /* 2 when an empty line came before the request line, else 0 */
  uint32_t line_start; /* of the line that is not complete yet */
  uint32_t searched;   /* up to here no end of that line */
  uint32_t seen;       /* which of the known headers came, one bit each */
  cr_slice host;       /* its value */
  bool connection_close, connection_keep_alive;
  cr_header headers[LIMIT_HEADERS];
} head_parser;

void head_init(head_parser *parser);

/* bytes: everything received since the connection's last request, n of them, at any address, but
 * with the content of the calls before. HTTP_DONE: head is complete and ends at start + head.len;
 * HTTP_BAD: head.malformed_status and its reason are set. */
int head_parse(head_parser *parser, const char *bytes, size_t n);

/* Case-insensitive; lower is lower-case and NUL-terminated. */
bool http_name_is(const char *name, size_t len, const char *lower);

/* Takes "Name: value" apart, without its line end, and checks its bytes. Slices count from bytes.
 * NULL, or what is wrong with it. */
const char *http_parse_field(const char *bytes, uint32_t at, uint32_t len, cr_header *out);

/* ---- chunked body (http_chunked.c) ---- */

typedef struct {
  uint8_t phase;
  uint8_t digits;
  uint32_t line_len;
  uint32_t trailer_len;
  uint64_t left; /* of the chunk at hand */
  uint32_t field_len;
  char field[LIMIT_CHUNK_LINE_BYTES]; /* a trailer line's beginning: its name is in there */
} chunked_decoder;

void chunked_init(chunked_decoder *decoder);

/* Consumes up to n bytes; *used tells how many. HTTP_MORE with *data_len > 0: that many body bytes
 * stand at *data, inside bytes; the call is to be repeated while bytes are left. HTTP_DONE: the
 * last chunk and the trailers are over. */
int chunked_decode(chunked_decoder *decoder, const char *bytes, size_t n, size_t *used,
                   const char **data, size_t *data_len);

/* ---- answer's head (http_write.c) ---- */

enum { HTTP_STATUS_LINE_BYTES = 128, HTTP_LAST_LINES_BYTES = 96 };

/* "HTTP/1.1 200 OK\r\nDate: …\r\n"; returns its length. */
size_t http_write_status(char out[HTTP_STATUS_LINE_BYTES], int status);

typedef enum { HTTP_CONNECTION_UNSAID, HTTP_CONNECTION_CLOSE, HTTP_CONNECTION_KEEP } http_connection;

/* Content-Length (unless the status has none), Connection and the empty line. */
size_t http_write_last_lines(char out[HTTP_LAST_LINES_BYTES], int status, uint64_t content_length,
                             http_connection connection);

/* 204 and 304 have no body, whatever the method. */
bool http_status_has_body(int status);
