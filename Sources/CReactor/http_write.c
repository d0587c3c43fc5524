/* http_write.c: the lines of an answer's head that the caller does not give.
 *
 *   - Date is rendered once per second, not once per answer.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "http.h"

static const char *reason_phrase(int status) {
  switch (status) {
  case 200: return "OK";
  case 201: return "Created";
  case 202: return "Accepted";
  case 204: return "No Content";
  case 206: return "Partial Content";
  case 301: return "Moved Permanently";
  case 302: return "Found";
  case 303: return "See Other";
  case 304: return "Not Modified";
  case 307: return "Temporary Redirect";
  case 308: return "Permanent Redirect";
  case 400: return "Bad Request";
  case 401: return "Unauthorized";
  case 403: return "Forbidden";
  case 404: return "Not Found";
  case 405: return "Method Not Allowed";
  case 406: return "Not Acceptable";
  case 408: return "Request Timeout";
  case 409: return "Conflict";
  case 410: return "Gone";
  case 411: return "Length Required";
  case 412: return "Precondition Failed";
  case 413: return "Content Too Large";
  case 414: return "URI Too Long";
  case 415: return "Unsupported Media Type";
  case 416: return "Range Not Satisfiable";
  case 417: return "Expectation Failed";
  case 421: return "Misdirected Request";
  case 429: return "Too Many Requests";
  case 431: return "Request Header Fields Too Large";
  case 500: return "Internal Server Error";
  case 501: return "Not Implemented";
  case 502: return "Bad Gateway";
  case 503: return "Service Unavailable";
  case 504: return "Gateway Timeout";
  case 505: return "HTTP Version Not Supported";
  case 507: return "Insufficient Storage";
  default: return ""; /* RFC 9112 4: the phrase may be empty */
  }
}

static const char *date_line(void) {
  static _Thread_local time_t rendered;
  static _Thread_local char line[64];
  struct timespec now;
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (now.tv_sec != rendered) {
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm utc;
    gmtime_r(&now.tv_sec, &utc);
    snprintf(line, sizeof line, "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d GMT\r\n",
             days + 3 * utc.tm_wday, utc.tm_mday, months + 3 * utc.tm_mon, utc.tm_year + 1900,
             utc.tm_hour, utc.tm_min, utc.tm_sec);
    rendered = now.tv_sec;
  }
  return line;
}

size_t http_write_status(char out[HTTP_STATUS_LINE_BYTES], int status) {
  return (size_t)snprintf(out, HTTP_STATUS_LINE_BYTES, "HTTP/1.1 %03d %s\r\n%s", status,
                          reason_phrase(status), date_line());
}

bool http_status_has_body(int status) { return status != 204 && status != 304; }

size_t http_write_last_lines(char out[HTTP_LAST_LINES_BYTES], int status, uint64_t content_length,
                             http_connection connection) {
  static const char *const lines[] = {
      [HTTP_CONNECTION_UNSAID] = "",
      [HTTP_CONNECTION_CLOSE] = "Connection: close\r\n",
      [HTTP_CONNECTION_KEEP] = "Connection: keep-alive\r\n",
  };
  /* RFC 9110 8.6: none with 204. A 304 may have the length that a 200 would have; none is safe. */
  if (!http_status_has_body(status))
    return (size_t)snprintf(out, HTTP_LAST_LINES_BYTES, "%s\r\n", lines[connection]);
  return (size_t)snprintf(out, HTTP_LAST_LINES_BYTES, "Content-Length: %llu\r\n%s\r\n",
                          (unsigned long long)content_length, lines[connection]);
}
