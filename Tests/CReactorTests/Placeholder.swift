import Testing

import CReactor
