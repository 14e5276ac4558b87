//! The Merkle tree against two independent implementations and the vectors of RFC 6962.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use enact_core::hash::{Hash, leaf_hash};
use enact_core::merkle::{Frontier, MerkleError, consistency_proof, from_leaves, inclusion_proof, verify_consistency, verify_inclusion};
use proptest::prelude::*;
use sha2::Sha256;
use tlog_tiles::tlog::{self, HashReader};

/// Sizes at which everything is compared with everything.
const DENSE: u64 = 300;

fn data(nth: u64) -> Vec<u8> {
    nth.to_be_bytes().to_vec()
}

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|nth| leaf_hash(&data(nth))).collect()
}

fn tree(leaves: &[Hash]) -> Frontier {
    let mut tree = Frontier::new();
    leaves.iter().for_each(|leaf| tree.push(*leaf));
    tree
}

/// The stored hashes of the Go checksum database's tree.
#[derive(Default)]
struct Stored(Vec<tlog::Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
        Ok(indexes.iter().map(|at| self.0[usize::try_from(*at).unwrap()]).collect())
    }
}

fn stored(count: u64) -> Stored {
    let mut stored = Stored::default();
    for nth in 0..count {
        let more = tlog::stored_hashes(nth, &data(nth), &stored).unwrap();
        stored.0.extend(more);
    }
    stored
}

fn raw(proof: &[tlog::Hash]) -> Vec<Hash> {
    proof.iter().map(|hash| hash.0).collect()
}

#[test]
fn rfc_6962_known_roots_and_paths() {
    // The reference vectors of Certificate Transparency: eight inputs, the root after each.
    let inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let leaves: Vec<Hash> = inputs.iter().map(|input| leaf_hash(&hex::decode(input).unwrap())).collect();
    for (size, root) in roots.iter().enumerate() {
        assert_eq!(hex::encode(tree(&leaves[..size]).root()), *root, "size {size}");
    }
    let path = inclusion_proof(8, 5, &mut from_leaves(&leaves)).unwrap();
    let expected = [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(path.iter().map(hex::encode).collect::<Vec<_>>(), expected);
    let path = consistency_proof(6, 8, &mut from_leaves(&leaves)).unwrap();
    let expected = [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(path.iter().map(hex::encode).collect::<Vec<_>>(), expected);
}

#[test]
fn roots_are_those_of_both_oracles_at_every_size() {
    let (leaves, stored) = (leaves(DENSE), stored(DENSE));
    let (mut ours, mut theirs) = (Frontier::new(), MemoryBackedTree::<Sha256, Vec<u8>>::new());
    for size in 0..=DENSE {
        assert_eq!(ours.root().as_slice(), theirs.root().as_bytes().as_slice(), "ct-merkle, size {size}");
        assert_eq!(ours.root(), tlog::tree_hash(size, &stored).unwrap().0, "tlog, size {size}");
        if let Some(leaf) = leaves.get(usize::try_from(size).unwrap()) {
            ours.push(*leaf);
            theirs.push(data(size));
        }
    }
}

#[test]
fn inclusion_proofs_are_those_of_both_oracles() {
    let (leaves, stored) = (leaves(DENSE), stored(DENSE));
    let mut theirs = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    for size in 1..=DENSE {
        theirs.push(data(size - 1));
        // Every leaf of the small trees, a spread over the large ones.
        let step = if size <= 70 { 1 } else { 13 };
        let upto = &leaves[..usize::try_from(size).unwrap()];
        let root = tree(upto).root();
        for index in (0..size).step_by(step).chain([size - 1]) {
            let path = inclusion_proof(size, index, &mut from_leaves(upto)).unwrap();
            assert_eq!(path, raw(&tlog::prove_record(size, index, &stored).unwrap()), "tlog {index} of {size}");
            let other = theirs.prove_inclusion(usize::try_from(index).unwrap());
            assert_eq!(path.concat(), other.as_bytes(), "ct-merkle {index} of {size}");
            let leaf = &leaves[usize::try_from(index).unwrap()];
            assert_eq!(verify_inclusion(leaf, index, size, &path, &root), Ok(()), "{index} of {size}");
        }
    }
}

#[test]
fn consistency_proofs_are_those_of_both_oracles() {
    let (leaves, stored) = (leaves(DENSE), stored(DENSE));
    let roots: Vec<Hash> = (0..=leaves.len()).map(|size| tree(&leaves[..size]).root()).collect();
    let mut theirs = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    for new in 1..=DENSE {
        theirs.push(data(new - 1));
        let step = if new <= 70 { 1 } else { 13 };
        let at = usize::try_from(new).unwrap();
        for old in (0..=new).step_by(step) {
            let path = consistency_proof(old, new, &mut from_leaves(&leaves[..at])).unwrap();
            let (was, is) = (&roots[usize::try_from(old).unwrap()], &roots[at]);
            assert_eq!(verify_consistency(old, was, new, is, &path), Ok(()), "{old} to {new}");
            if old == 0 {
                assert!(path.is_empty());
                continue;
            }
            assert_eq!(path, raw(&tlog::prove_tree(new, old, &stored).unwrap()), "tlog {old} to {new}");
            if old < new {
                let additions = usize::try_from(new - old).unwrap();
                assert_eq!(path.concat(), theirs.prove_consistency(additions).as_bytes(), "ct-merkle {old} to {new}");
            }
        }
    }
}

#[test]
fn a_proof_that_was_not_asked_for_properly_is_refused() {
    let leaves = leaves(5);
    assert_eq!(inclusion_proof(5, 5, &mut from_leaves(&leaves)), Err(MerkleError::OutOfRange { asked: 5, size: 5 }));
    assert_eq!(consistency_proof(6, 5, &mut from_leaves(&leaves)), Err(MerkleError::OutOfRange { asked: 6, size: 5 }));
    let gap = inclusion_proof(8, 0, &mut from_leaves(&leaves));
    assert_eq!(gap, Err(MerkleError::NodeMissing { level: 2, index: 1 }));
    assert_eq!(consistency_proof(u64::MAX - 1, u64::MAX, &mut |_, _| Some([0; 32])).map(|path| path.len() > 60), Ok(true));
}

#[test]
fn a_frontier_survives_its_bytes_and_nothing_else_does() {
    for size in 0..70 {
        let tree = tree(&leaves(size));
        let bytes = tree.to_bytes();
        assert_eq!(Frontier::from_bytes(&bytes), Ok(tree));
        assert_eq!(Frontier::from_bytes(&bytes[..bytes.len() - 1]), Err(MerkleError::Encoding));
        assert_eq!(Frontier::from_bytes(&[bytes, vec![0; 32]].concat()), Err(MerkleError::Encoding));
    }
}

/// What the oracle says of the same proof; it refuses sizes that are not proofs at all.
fn oracle_inclusion(leaf: Hash, index: u64, size: u64, path: &[Hash], root: Hash) -> bool {
    let path = path.iter().copied().map(tlog::Hash).collect();
    index < size && tlog::check_record(&path, size, tlog::Hash(root), index, tlog::Hash(leaf)).is_ok()
}

proptest! {
    #[test]
    fn large_trees_agree_with_the_oracle(size in 300_u64..6000, pick in any::<u64>()) {
        let (leaves, stored) = (leaves(size), stored(size));
        let (index, old) = (pick % size, 1 + pick % size);
        let root = tree(&leaves).root();
        prop_assert_eq!(root, tlog::tree_hash(size, &stored).unwrap().0);
        let path = inclusion_proof(size, index, &mut from_leaves(&leaves)).unwrap();
        prop_assert_eq!(path, raw(&tlog::prove_record(size, index, &stored).unwrap()));
        let path = consistency_proof(old, size, &mut from_leaves(&leaves)).unwrap();
        prop_assert_eq!(path, raw(&tlog::prove_tree(size, old, &stored).unwrap()));
    }

    #[test]
    fn no_altered_inclusion_proof_holds(size in 2_u64..80, pick in any::<u64>(), bit in any::<usize>(), cut in 0_usize..4) {
        let leaves = leaves(size);
        let index = pick % size;
        let (root, leaf) = (tree(&leaves).root(), leaves[usize::try_from(index).unwrap()]);
        let honest = inclusion_proof(size, index, &mut from_leaves(&leaves)).unwrap();
        let mut path = honest.clone();
        match cut {
            0 => { path.pop(); }
            1 => path.push(root),
            2 => path.insert(0, leaf),
            _ => { let at = bit % (path.len() * 256); path[at / 256][at / 8 % 32] ^= 1 << (at % 8); }
        }
        prop_assert!(verify_inclusion(&leaf, index, size, &path, &root).is_err());
        prop_assert!(!oracle_inclusion(leaf, index, size, &path, root));
        for elsewhere in (0..size).filter(|other| *other != index) {
            let found = verify_inclusion(&leaf, elsewhere, size, &honest, &root).is_ok();
            prop_assert_eq!(found, oracle_inclusion(leaf, elsewhere, size, &honest, root));
            prop_assert!(!found);
        }
    }

    #[test]
    fn no_altered_consistency_proof_holds(new in 2_u64..80, pick in any::<u64>(), bit in any::<usize>(), cut in 0_usize..4) {
        let leaves = leaves(new);
        let old = 1 + pick % (new - 1);
        let (was, is) = (tree(&leaves[..usize::try_from(old).unwrap()]).root(), tree(&leaves).root());
        let mut path = consistency_proof(old, new, &mut from_leaves(&leaves)).unwrap();
        match cut {
            0 => { path.pop(); }
            1 => path.push(is),
            2 => path.insert(0, was),
            _ => { let at = bit % (path.len() * 256); path[at / 256][at / 8 % 32] ^= 1 << (at % 8); }
        }
        prop_assert!(verify_consistency(old, &was, new, &is, &path).is_err());
    }
}
