//! The vectors of BIP-39, the published vectors and runs of the protocol, and what is refused. All of it goes the way a call goes.

use enact_guest_sdk::Answer;
use serde_json::{Value, json};

use crate::{CODES, dispatch};

/// Of `vectors.json` of BIP-39 (passphrase `TREZOR`): entropy, sentence, seed.
const BIP_39: [[&str; 3]; 5] = [
    [
        "0x00000000000000000000000000000000",
        "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about",
        "0xc55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e53495531f09a6987599d18264c1e1c92f2cf141630c7a3c4ab7c81b2f001698e7463b04",
    ],
    [
        "0x7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f",
        "legal winner thank year wave sausage worth useful legal winner thank yellow",
        "0x2e8905819b8723fe2c1d161860e5ee1830318dbf49a83bd451cfb8440c28bd6fa457fe1296106559a3c80937a1c1069be3a3a5bd381ee6260e8d9739fce1f607",
    ],
    [
        "0x80808080808080808080808080808080",
        "letter advice cage absurd amount doctor acoustic avoid letter advice cage above",
        "0xd71de856f81a8acc65e6fc851a38d4d7ec216fd0796d0a6827a3ad6ed5511a30fa280f12eb2e47ed2ac03b5c462a0358d18d69fe4f985ec81778c1b370b652a8",
    ],
    [
        "0xffffffffffffffffffffffffffffffff",
        "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo wrong",
        "0xac27495480225222079d7be181583751e86f571027b0497b5b5d11218e0a8a13332572917f0f8e5a589620c6f15b11c61dee327651a14c34e18231052e48c069",
    ],
    [
        "0x68a79eaca2324873eacc50cb9c6eca8cc68ea5d936f98787c60c7ebc74e6ce7c",
        "hamster diagram private dutch cause delay private meat slide toddler razor book happy fancy gospel tennis maple dilemma loan word shrug inflict delay length",
        "0x64c87cde7e12ecf6704ab95bb1408bef047c22db4cc7491c4271d170a1b213d20b385bc1588d9c7b38f1b39d415665b8a9030c9ec653d75e65f847d8fc1fc440",
    ],
];

fn call(code: &str, inputs: &Value) -> Answer {
    dispatch(code, &inputs.to_string())
}

fn outputs(code: &str, inputs: &Value) -> Value {
    let answer = call(code, inputs);
    assert_eq!(answer.status, "SUCCESS", "{code} {inputs}");
    serde_json::from_str(&answer.outputs).unwrap()
}

fn assert_refused(code: &str, inputs: &Value) {
    let answer = call(code, inputs);
    assert_eq!((answer.status, answer.outputs.as_str()), ("VIOLATION", "{}"), "{code} {inputs}");
}

fn keypairs() -> Value {
    json!({
        "entropy_bits": 128,
        "entropy_bytes": "0x000102030405060708090a0b0c0d0e0f",
        "eoa_child_indices": [0, 0],
        "root_path_indices": [2_147_483_692_u32, 2_147_483_714_u32, 2_147_483_648_u32],
        "utxo_child_indices": [1, 0],
    })
}

#[test]
fn the_sentences_and_seeds_of_bip_39_come_out() {
    for [entropy, sentence, seed] in BIP_39 {
        assert_eq!(outputs("CT_PURE_ENTROPY_TO_MNEMONIC_V0", &json!({ "entropy_bytes": entropy })), json!({ "mnemonic": sentence }));
        let inputs = json!({ "mnemonic": sentence, "passphrase": "TREZOR" });
        assert_eq!(outputs("CT_PURE_MNEMONIC_TO_SEED_V0", &inputs), json!({ "seed_bytes": seed }));
    }
}

#[test]
fn entropy_of_every_size_and_no_other_becomes_a_sentence() {
    for bytes in 0..=40_usize {
        let inputs = json!({ "entropy_bytes": "a5".repeat(bytes) });
        if [16, 20, 24, 28, 32].contains(&bytes) {
            let words = outputs("CT_PURE_ENTROPY_TO_MNEMONIC_V0", &inputs)["mnemonic"].as_str().unwrap().split(' ').count();
            assert_eq!(words, bytes * 3 / 4);
        } else {
            assert_refused("CT_PURE_ENTROPY_TO_MNEMONIC_V0", &inputs);
        }
    }
}

#[test]
fn sentences_that_bip_39_does_not_know_are_refused() {
    let [_, sentence, _] = BIP_39[0];
    for text in [
        "",
        " ",
        "abandon",
        &sentence.replace("about", "abandon"),
        &sentence.replace("about", "aboot"),
        &sentence.replace("about", "About"),
        &sentence.replacen(' ', "  ", 1),
        &sentence.replacen(' ', "\t", 1),
        &sentence.replacen(' ', "\u{3000}", 1),
        &format!("{sentence} "),
        &format!(" {sentence}"),
        &format!("{sentence} {sentence} {sentence}"),
    ] {
        assert_refused("CT_PURE_MNEMONIC_TO_SEED_V0", &json!({ "mnemonic": text }));
    }
}

#[test]
fn passphrases_are_printable_ascii() {
    let [_, sentence, _] = BIP_39[0];
    let seed = |passphrase: &str| outputs("CT_PURE_MNEMONIC_TO_SEED_V0", &json!({ "mnemonic": sentence, "passphrase": passphrase }));
    assert_ne!(seed("\""), seed("\\"));
    assert_eq!(seed(""), outputs("CT_PURE_MNEMONIC_TO_SEED_V0", &json!({ "mnemonic": sentence })));
    for passphrase in ["naïve", "㍍", "\u{1f511}", "a\nb"] {
        assert_refused("CT_PURE_MNEMONIC_TO_SEED_V0", &json!({ "mnemonic": sentence, "passphrase": passphrase }));
    }
}

#[test]
fn entropy_is_the_callers_or_none() {
    for (bits, digits) in [(128, 32), (160, 40), (192, 48), (224, 56), (256, 64)] {
        let given = format!("0x{}", "7e".repeat(digits / 2));
        let inputs = json!({ "entropy_bits": bits, "entropy_bytes": given });
        assert_eq!(outputs("CT_PURE_GENERATE_ENTROPY_V0", &inputs), json!({ "entropy_bytes": given }));
        assert_refused("CT_PURE_GENERATE_ENTROPY_V0", &json!({ "entropy_bits": bits }));
        assert_refused("CT_PURE_GENERATE_ENTROPY_V0", &json!({ "entropy_bits": bits, "entropy_bytes": &given[..digits] }));
        assert_refused("CT_PURE_GENERATE_ENTROPY_V0", &json!({ "entropy_bits": bits + 8, "entropy_bytes": format!("{given}00") }));
        assert_refused("CT_PURE_GENERATE_ENTROPY_V0", &json!({ "entropy_bits": bits, "entropy_bytes": format!("{given}00") }));
    }
}

#[test]
fn key_pairs_without_the_callers_entropy_are_refused() {
    let mut inputs = keypairs();
    assert_eq!(call("CT_PURE_DERIVE_WALLET_KEYPAIRS_V0", &inputs).status, "SUCCESS");
    inputs.as_object_mut().unwrap().remove("entropy_bytes");
    assert_refused("CT_PURE_DERIVE_WALLET_KEYPAIRS_V0", &inputs);
}

#[test]
fn key_pairs_from_wrong_members_are_refused() {
    for (name, value) in [
        ("curve", json!("secp256r1")),
        ("curve", json!(1)),
        ("entropy_bits", json!(256)),
        ("entropy_bits", json!("128")),
        ("entropy_bytes", json!("0xzz0102030405060708090a0b0c0d0e0f")),
        ("passphrase", json!("ü")),
        ("root_path_indices", json!("m/44'")),
        ("root_path_indices", json!(null)),
        ("root_path_indices", json!(vec![1; 15])),
        ("eoa_child_indices", json!([-1])),
        ("eoa_child_indices", json!([4_294_967_296_u64])),
        ("utxo_child_indices", json!(["0"])),
    ] {
        let mut inputs = keypairs();
        inputs[name] = value;
        assert_refused("CT_PURE_DERIVE_WALLET_KEYPAIRS_V0", &inputs);
    }
}

#[test]
fn a_path_says_what_was_derived() {
    let mut inputs = keypairs();
    inputs["root_path_indices"] = json!([]);
    inputs["eoa_child_indices"] = json!([]);
    inputs["utxo_child_indices"] = json!([4_294_967_295_u32, 2_147_483_647]);
    let outputs = outputs("CT_PURE_DERIVE_WALLET_KEYPAIRS_V0", &inputs);
    assert_eq!(outputs["eoa_derivation_path"], "m");
    assert_eq!(outputs["utxo_derivation_path"], "m/2147483647'/2147483647");
}

#[test]
fn a_passphrase_is_another_wallet() {
    let mut inputs = keypairs();
    let without = outputs("CT_PURE_DERIVE_WALLET_KEYPAIRS_V0", &inputs);
    inputs["passphrase"] = json!("");
    assert_eq!(outputs("CT_PURE_DERIVE_WALLET_KEYPAIRS_V0", &inputs), without);
    inputs["passphrase"] = json!("x");
    assert_ne!(outputs("CT_PURE_DERIVE_WALLET_KEYPAIRS_V0", &inputs)["master_fingerprint"], without["master_fingerprint"]);
}

#[test]
fn inputs_that_are_no_object_are_refused() {
    for code in CODES {
        for inputs in [json!({}), json!([]), json!(null), json!(1)] {
            assert_refused(code, &inputs);
        }
    }
}

/// The published vectors; `ENACT_PGS` names the folder that holds `transforms/` and `cases/`. Those that leave the entropy to the
/// implementation get it from here, because a pure transform has none.
#[test]
fn published_vectors_and_runs_hold() {
    let Some(folder) = std::env::var_os("ENACT_PGS").map(std::path::PathBuf::from) else {
        #[allow(clippy::print_stderr, reason = "a test that did not run must not look like one that passed")]
        {
            eprintln!("did not run: ENACT_PGS is not set");
        }
        return;
    };
    let read = |path: &std::path::Path| -> Value { serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap() };
    let mut held = 0;
    for file in std::fs::read_dir(folder.join("transforms")).unwrap() {
        let path = file.unwrap().path();
        let code = path.file_stem().unwrap().to_str().unwrap().split_once("__").unwrap().1.to_owned();
        for vector in read(&path).as_array().unwrap().iter().filter(|_| CODES.contains(&code.as_str())) {
            held += 1;
            let mut inputs = vector["inputs"].clone();
            if code == "CT_PURE_GENERATE_ENTROPY_V0" {
                assert_refused(&code, &inputs);
                inputs["entropy_bytes"] = vector["reference_output"]["entropy_bytes"].clone();
                assert_eq!(outputs(&code, &inputs), vector["reference_output"]);
            } else {
                assert_eq!(outputs(&code, &inputs), vector["expected"], "{}", vector["id"]);
            }
        }
    }
    assert_eq!(held, 6, "vectors of the served codes");
    let run = read(&folder.join("cases/wal_01_success/expected.json"));
    let step = |step: &&Value| step["capability"] == "blockchain::CT_PURE_DERIVE_WALLET_KEYPAIRS_V0";
    let step = run["steps"].as_array().unwrap().iter().find(step).unwrap();
    let mut inputs = step["inputs"].clone();
    assert_refused("CT_PURE_DERIVE_WALLET_KEYPAIRS_V0", &inputs);
    inputs["entropy_bytes"] = json!("0x000102030405060708090a0b0c0d0e0f");
    let mut expected = step["result"].clone();
    expected.as_object_mut().unwrap().remove("result_status");
    assert_eq!(outputs("CT_PURE_DERIVE_WALLET_KEYPAIRS_V0", &inputs), expected);
}
