/* transfer_request.c: checks and copies what a transfer is to ask for, and hands it to curl.
 *
 *   - One block holds the copy: the struct, the list that curl wants, then the texts.
 *   - No control byte gets into a request line or a header; framing headers are curl's alone.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client.h"

static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE"};
/* curl would add these, and "Name:" makes it leave them out. */
static char no_expect[] = "Expect:";
static char no_content_type[] = "Content-Type:";

static const char *known_method(const char *method) {
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
    if (strcmp(method, methods[i]) == 0) return methods[i];
  return NULL;
}

/* RFC 9110's tchar; also of what is not ASCII none is one. */
static bool is_token_char(char c) {
  static const uint64_t set[2] = {0x03ff6cfa00000000, 0x57ffffffc7fffffe};
  unsigned char byte = (unsigned char)c;
  return byte < 128 && (set[byte >> 6] >> (byte & 63) & 1);
}

bool header_value_is_valid(const char *value, size_t len) {
  unsigned char bad = 0; /* without a way out, so that the compiler can take many bytes at a time */
  for (size_t i = 0; i < len; i++) {
    unsigned char c = (unsigned char)value[i];
    bad |= (unsigned char)(((c < 0x20) & (c != '\t')) | (c == 0x7f));
  }
  return !bad;
}

static bool name_is(const char *line, size_t name_len, const char *name) {
  return strlen(name) == name_len && strncasecmp(line, name, name_len) == 0;
}

/* "Name: value": the name's length, or 0. */
static size_t header_name_len(const char *line, size_t line_len) {
  size_t len = 0;
  while (is_token_char(line[len])) len++;
  if (line[len] != ':' || !header_value_is_valid(line + len, line_len - len)) return 0;
  if (name_is(line, len, "Content-Length") || name_is(line, len, "Transfer-Encoding")) return 0;
  return len;
}

static int check_headers(const cr_transfer_request *from, size_t *count, bool *content_type) {
  *count = 0;
  *content_type = false;
  if (from->headers_len == 0) return CR_OK;
  if (!from->headers || from->headers[from->headers_len - 1] != 0) return CR_EINVALID;
  if (from->headers_len > LIMIT_HEAD_BYTES) return CR_ETOOLARGE;
  const char *end = from->headers + from->headers_len;
  for (const char *line = from->headers, *after; line < end; line = after) {
    size_t line_len = strlen(line), name_len = header_name_len(line, line_len);
    after = line + line_len + 1;
    if (name_len == 0) return CR_EINVALID;
    *content_type = *content_type || name_is(line, name_len, "Content-Type");
    if (++*count > LIMIT_HEADERS) return CR_ETOOLARGE;
  }
  return CR_OK;
}

/* len: without a fragment, which is not for servers. */
static int check_url(const char *url, size_t *len) {
  *len = strcspn(url, "#");
  if (*len > LIMIT_URL_BYTES) return CR_ETOOLARGE;
  for (size_t i = 0; i < *len; i++)
    if (url[i] <= 0x20 || url[i] >= 0x7f) return CR_EINVALID;
  const char *scheme_end = strstr(url, "://");
  return scheme_end && (size_t)(scheme_end - url) < *len ? CR_OK : CR_EINVALID;
}

/* "http://host?a" is asked for as "http://host/?a". Returns where the target begins. */
static char *copy_url(char *to, const char *from, size_t len) {
  size_t origin = url_origin_len(from), slash = from[origin] == '/' ? 0 : 1;
  memcpy(to, from, origin);
  to[origin] = '/';
  memcpy(to + origin + slash, from + origin, len - origin);
  to[len + slash] = 0;
  return to + origin;
}

/* curl reads "Name:" without a value as "leave it out", and "Name;" as an empty value. */
static void mark_empty_value(char *line) {
  char *colon = strchr(line, ':');
  if (colon[1 + strspn(colon + 1, " \t")] != 0) return;
  colon[0] = ';';
  colon[1] = 0;
}

static struct curl_slist *append(struct curl_slist *list, char *line) {
  list->data = line;
  list->next = list + 1;
  return list + 1;
}

int transfer_request_copy(const cr_transfer_request *from, transfer_request **out) {
  const char *method = known_method(from->method);
  bool has_body_method = method && method[0] == 'P';
  size_t url_len, header_count;
  bool content_type;
  if (!method || (from->body_len > 0 && (!has_body_method || !from->body))) return CR_EINVALID;
  int result = check_url(from->url, &url_len);
  if (result == CR_OK) result = check_headers(from, &header_count, &content_type);
  if (result != CR_OK) return result;

  size_t list_bytes = (header_count + 2) * sizeof(struct curl_slist);
  size_t url_bytes = url_len + sizeof "/";
  size_t fixed = sizeof(transfer_request) + list_bytes + url_bytes + from->headers_len;
  if (from->body_len > SIZE_MAX - fixed) return CR_ETOOLARGE;
  transfer_request *copy = malloc(fixed + from->body_len);
  if (!copy) return CR_EMEMORY;
  struct curl_slist *list = (struct curl_slist *)(void *)(copy + 1), *next = list;
  char *url = (char *)list + list_bytes;
  char *headers = url + url_bytes;
  char *body = headers + from->headers_len;
  char *target = copy_url(url, from->url, url_len);
  if (from->headers_len > 0) memcpy(headers, from->headers, from->headers_len);
  if (from->body_len > 0) memcpy(body, from->body, from->body_len);

  for (char *line = headers, *after; line < body; line = after) {
    after = line + strlen(line) + 1;
    mark_empty_value(line);
    next = append(next, line);
  }
  if (has_body_method) {
    next = append(next, no_expect);
    if (!content_type) next = append(next, no_content_type);
  }
  if (next != list) next[-1].next = NULL;
  *copy = (transfer_request){.method = method,
                             .url = url,
                             .target = target,
                             .body = body,
                             .body_len = from->body_len,
                             .headers = next == list ? NULL : list};
  *out = copy;
  return CR_OK;
}

/* A proxy that is asked for http:// URLs needs them whole, from curl's parser. All others go by the
 * host's parsed URL, with the target as it stands: that saves the parsing. */
static bool transfer_needs_url(const cr_transfer *t) {
  return t->client->use_environment_proxy && strncmp(t->host->origin, "http:", 5) == 0;
}

CURLcode transfer_configure(cr_transfer *t, client_handle *handle) {
  const transfer_request *request = t->request;
  CURL *easy = handle->easy;
  bool needs_url = transfer_needs_url(t);
  CURLcode failed = t->host->url ? CURLE_OK : CURLE_URL_MALFORMAT;
#define SET(option, value) \
  if (failed == CURLE_OK) failed = curl_easy_setopt(easy, option, value)
  if (failed != CURLE_OK) return failed;
  if (needs_url) SET(CURLOPT_URL, request->url);
  SET(CURLOPT_CURLU, needs_url ? NULL : t->host->url);
  SET(CURLOPT_REQUEST_TARGET, needs_url ? NULL : request->target);
  SET(CURLOPT_HTTPHEADER, request->headers);
  SET(CURLOPT_CONNECTTIMEOUT_MS, (long)t->connect_timeout_ms);
  bool is_plain = request->method[0] == 'G' && !t->fresh_connection;
  if (is_plain && handle->is_plain) return failed;
  handle->is_plain = false;
  SET(CURLOPT_FRESH_CONNECT, t->fresh_connection ? 1L : 0L);
  SET(CURLOPT_FORBID_REUSE, 0L);
  SET(CURLOPT_DNS_CACHE_TIMEOUT, t->fresh_connection ? 0L : (long)LIMIT_RESOLVED_SECONDS);
  /* The handle still has the method of its last transfer: HTTPGET undoes NOBODY and POST. */
  SET(CURLOPT_HTTPGET, 1L);
  SET(CURLOPT_CUSTOMREQUEST, NULL);
  switch (request->method[0]) {
    case 'H': SET(CURLOPT_NOBODY, 1L); break;
    case 'D': SET(CURLOPT_CUSTOMREQUEST, request->method); break;
    case 'P': /* PUT is sent as a POST by another name: curl can repeat it from memory */
      SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
      SET(CURLOPT_POSTFIELDS, request->body);
      if (request->method[1] == 'U') SET(CURLOPT_CUSTOMREQUEST, request->method);
      break;
    default: break;
  }
#undef SET
  handle->is_plain = is_plain && failed == CURLE_OK;
  return failed;
}
