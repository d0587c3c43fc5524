/* transfer_code.c: what a CURLcode means, given how far the transfer had come.
 *
 *   - CONNECT_FAILED and before it in the enum: no byte of the request went out.
 */
#include "client.h"

cr_transfer_code transfer_code(const cr_transfer *t, CURLcode code) {
  curl_off_t sent_at = 0;
  curl_easy_getinfo(t->handle->easy, CURLINFO_PRETRANSFER_TIME_T, &sent_at);
  bool ready = sent_at > 0; /* connected, proxy and TLS included */
  switch (code) {
    case CURLE_OK: return CR_TRANSFER_OK;
    case CURLE_UNSUPPORTED_PROTOCOL: /* a scheme, or an answer without a head (HTTP/0.9) */
      return ready ? CR_TRANSFER_PROTOCOL : CR_TRANSFER_INVALID;
    case CURLE_URL_MALFORMAT:
    case CURLE_LOGIN_DENIED: /* user name in the URL */
    case CURLE_BAD_FUNCTION_ARGUMENT: return CR_TRANSFER_INVALID;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY: return CR_TRANSFER_RESOLVE_FAILED;
    case CURLE_COULDNT_CONNECT:
      return t->addresses_refused > 0 && t->sockets_opened == 0 ? CR_TRANSFER_ADDRESS_REFUSED
                                                                : CR_TRANSFER_CONNECT_FAILED;
    case CURLE_OPERATION_TIMEDOUT: { /* only connecting has a time limit in curl */
      curl_off_t resolved_at = 0;
      curl_easy_getinfo(t->handle->easy, CURLINFO_NAMELOOKUP_TIME_T, &resolved_at);
      return resolved_at > 0 ? CR_TRANSFER_CONNECT_FAILED : CR_TRANSFER_RESOLVE_FAILED;
    }
    case CURLE_PROXY: return CR_TRANSFER_CONNECT_FAILED;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CLIENTCERT:
    case CURLE_USE_SSL_FAILED: return CR_TRANSFER_TLS_FAILED;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING: return CR_TRANSFER_PROTOCOL;
    case CURLE_OUT_OF_MEMORY: /* so curl calls a header line over its own limit as well */
      return ready && !t->head_complete ? CR_TRANSFER_PROTOCOL : CR_TRANSFER_BROKEN;
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING: return ready ? CR_TRANSFER_BROKEN : CR_TRANSFER_CONNECT_FAILED;
    default: return CR_TRANSFER_BROKEN;
  }
}
