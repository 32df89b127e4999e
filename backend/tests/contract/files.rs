//! What every files adapter must do.

use rapport_backend::files::{Encoding, Files, PartKind, PartName};
use rapport_backend::identity::{Environment, Scope, WorkspaceId};

/// Runs the contract against the adapter that `open` opens; each call of it must open the same files.
pub fn holds(open: &dyn Fn() -> Box<dyn Files>) {
    let [one, other] = [0, 1].map(|_| Scope::live(WorkspaceId::generate().unwrap()));
    let files = open();
    let name = PartName::of(PartKind::Wasm, b"\0asm");
    assert_eq!(files.get(one, name).unwrap(), None);
    files.put(one, name, b"\0asm").unwrap();
    files.put(one, name, b"\0asm").unwrap();
    files.put(one, name.packed(Encoding::Brotli), b"packed").unwrap();
    for files in [files, open()] {
        assert_eq!(files.get(one, name).unwrap().as_deref(), Some(b"\0asm".as_slice()));
        assert_eq!(
            files.get(one, name.packed(Encoding::Brotli)).unwrap().as_deref(),
            Some(b"packed".as_slice())
        );
        assert_eq!(
            files.get(one, PartName { kind: PartKind::Script, ..name }).unwrap(),
            None,
            "the kind is part of the name"
        );
        for elsewhere in [other, Scope { environment: Environment::Test, ..one }] {
            assert_eq!(files.get(elsewhere, name).unwrap(), None, "files belong to one scope");
        }
    }
}
