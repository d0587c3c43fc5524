/* transfer_peer.c: which of a name's addresses a transfer connects to. Asked for each socket that
 * curl is about to open, so what a name resolved to before does not matter.
 */
#include <stdio.h>
#include <string.h>

#include "client.h"

int transfer_avoid(cr_transfer *t, const char *addresses) {
  const char *bad;
  size_t bad_len;
  if (!addresses || !*addresses) return CR_OK;
  int count = address_networks_parse(addresses, &t->avoided, &bad, &bad_len);
  if (count < 0) return count == -1 ? CR_EINVALID : CR_EMEMORY;
  t->avoided_count = count;
  return CR_OK;
}

static void transfer_note_refused(cr_transfer *t, const address *a) {
  char text[INET6_ADDRSTRLEN];
  address_text(a, text, sizeof text);
  size_t used = t->addresses_refused++ ? strlen(t->message) : 0;
  if (sizeof t->message - used > strlen(text) + 2)
    snprintf(t->message + used, sizeof t->message - used, "%s%s", used ? ", " : "", text);
}

bool transfer_passes_over(cr_transfer *t, const address *a, bool allowed) {
  if (!allowed) {
    transfer_note_refused(t, a);
    return true;
  }
  for (int i = 0; i < t->avoided_count; i++)
    if (address_in_network(a, &t->avoided[i])) {
      t->addresses_avoided++;
      return true;
    }
  t->sockets_opened++;
  return false;
}
