// CollectionOpening: how the gateway gets at the storage behind a bucket.

import Reactor

/// Opens collections for credentials that have been unsealed and checked.
@Loop protocol CollectionOpening: AnyObject {
  /// The collection of `id`, with the rights of `credential`, which holds it. `fingerprint` names
  /// the credential, for example as the key of what is remembered per credential. Asks nothing of
  /// anybody: whether the collection exists shows when it is used.
  func open(_ id: CollectionID, credential: Credential, fingerprint: String) -> any Collection
}
