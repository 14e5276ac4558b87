//! Published signatures, transactions and runs, and what is refused. All of it goes the way a call goes.

use enact_guest_sdk::Answer;
use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use serde_json::{Value, json};

use crate::{CODES, dispatch};

/// Private key 1: the digest (SHA-256 of a sentence), r and s. The RFC has no vectors for this curve; these are the ones that wallets
/// test their RFC 6979 nonces with.
const RFC_6979: [[&str; 3]; 2] = [
    [
        "0xa0dc65ffca799873cbea0ac274015b9526505daaaed385155425f7337704883e",
        "0x934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8",
        "0x2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5",
    ],
    [
        "0x7d1833f54854ac51659521afcd0ec6dca2ce2351429614bfa28a756b1b3c637f",
        "0x8600dbd41e348fe5c9465ab92d23e3db8b98b873beecd930736488696438cb6b",
        "0x547fe64427496db33bf66019dacbf0039c04199abb0122918601db38a72cfc21",
    ],
];

/// The order of the group (SEC 2, 2.4.1).
const ORDER: &str = "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

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

fn key(last: u8) -> String {
    format!("0x{}{last:02x}", "00".repeat(31))
}

fn transaction() -> Value {
    json!({ "chain_id": 1, "nonce": 10, "to": "0x1234567890123456789012345678901234567890", "value": "1" })
}

#[test]
fn nonces_are_those_of_rfc_6979() {
    for [digest, r, s] in RFC_6979 {
        let signed = outputs("CT_PURE_ECDSA_SIGN_V0", &json!({ "message_hash": digest, "private_key_bytes": key(1) }));
        assert_eq!((&signed["r"], &signed["s"]), (&json!(r), &json!(s)));
    }
}

#[test]
fn a_signature_recovers_its_signer_and_lies_in_the_lower_half() {
    for last in 1..=24 {
        let digest = [last; 32];
        let inputs = json!({ "message_hash": enact_wallet_primitives::Fixed(digest), "private_key_bytes": key(last) });
        let signed = outputs("CT_PURE_ECDSA_SIGN_V0", &inputs);
        let bytes = enact_wallet_primitives::Fixed::<65>::parse(signed["signed_bytes"].as_str().unwrap()).unwrap().0;
        let signature = Signature::from_slice(&bytes[..64]).unwrap();
        assert_eq!(signature.normalize_s(), signature);
        let recovery = RecoveryId::from_byte(bytes[64]).unwrap();
        let signer = VerifyingKey::recover_from_prehash(&digest, &signature, recovery).unwrap();
        let public = outputs("CT_PURE_PRIVATE_KEY_TO_PUBLIC_V0", &json!({ "private_key_bytes": key(last) }));
        let signer = enact_wallet_primitives::Bytes(signer.to_sec1_point(false).as_bytes().to_vec());
        assert_eq!(public["public_key_uncompressed_bytes"], json!(signer));
    }
}

#[test]
fn keys_outside_the_group_sign_nothing_and_have_no_public_key() {
    for private_key in [key(0).as_str(), ORDER, "0x01", "", "0xgg"] {
        let inputs = json!({ "message_hash": key(1), "private_key_bytes": private_key });
        assert_refused("CT_PURE_ECDSA_SIGN_V0", &inputs);
        assert_refused("CT_PURE_PRIVATE_KEY_TO_PUBLIC_V0", &inputs);
        let parent = json!({ "index": 0, "parent_chain_code_bytes": key(1), "parent_private_key_bytes": private_key });
        assert_refused("CT_PURE_DERIVE_CHILD_KEY_V0", &parent);
    }
}

#[test]
fn another_curve_or_no_digest_is_refused() {
    let inputs = json!({ "curve": "secp256r1", "message_hash": key(1), "private_key_bytes": key(1) });
    assert_refused("CT_PURE_ECDSA_SIGN_V0", &inputs);
    assert_refused("CT_PURE_PRIVATE_KEY_TO_PUBLIC_V0", &inputs);
    for digest in [json!("0x00"), json!("hello"), json!(7), json!(null)] {
        assert_refused("CT_PURE_ECDSA_SIGN_V0", &json!({ "message_hash": digest, "private_key_bytes": key(1) }));
    }
}

#[test]
fn only_uncompressed_keys_have_an_address() {
    // Private key 1, its well-known address.
    let public = outputs("CT_PURE_PRIVATE_KEY_TO_PUBLIC_V0", &json!({ "private_key_bytes": key(1) }));
    let address = outputs("CT_PURE_PUBKEY_TO_ETH_ADDRESS_V0", &public);
    assert_eq!(address, json!({ "eth_address_hex": "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf" }));
    for form in ["02", "06", "00"] {
        let wrong = format!("0x{form}{}", "11".repeat(64));
        assert_refused("CT_PURE_PUBKEY_TO_ETH_ADDRESS_V0", &json!({ "public_key_uncompressed_bytes": wrong }));
    }
    assert_refused("CT_PURE_PUBKEY_TO_ETH_ADDRESS_V0", &json!({ "public_key_uncompressed_bytes": format!("0x{}", "11".repeat(64)) }));
}

#[test]
fn indices_and_seeds_out_of_range_are_refused() {
    for index in [json!(-1), json!(4_294_967_296_u64), json!("0"), json!(0.5), json!(null)] {
        let inputs = json!({ "index": index, "parent_chain_code_bytes": key(1), "parent_private_key_bytes": key(1) });
        assert_refused("CT_PURE_DERIVE_CHILD_KEY_V0", &inputs);
    }
    for bytes in [0, 15, 65] {
        assert_refused("CT_PURE_DERIVE_MASTER_KEY_V0", &json!({ "seed_bytes": "ab".repeat(bytes) }));
    }
}

#[test]
fn a_transaction_with_every_field_is_the_one_that_eth_account_builds() {
    let inputs = json!({
        "access_list": [
            {
                "address": "0xde0b295669a9fd93d5f28d9ec85e40f4cb697bae",
                "storageKeys": [key(3), key(7)],
            },
            { "address": "0xbb9bc244d798123fde783fcc1c72d3bb8c189413", "storageKeys": [] },
        ],
        "chain_id": 1,
        "data": format!("0x{}", "ab".repeat(60)),
        "gas_limit": 90_000,
        "max_fee_per_gas": "100000000000000000000",
        "max_priority_fee_per_gas": "1000000000",
        "nonce": 7,
        "to": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "value": "115792089237316195423570985008687907853269984665640564039457584007913129639935",
    });
    let unsigned = &outputs("CT_PURE_BUILD_ETH_TRANSACTION_V0", &inputs)["unsigned_tx_bytes"];
    let head = "0x02f8fd0107843b9aca0089056bc75e2d6310000083015f90945aaeb6053f3e94c9b9a09f33669435e7ef1beaeda0";
    let tail = "f872f85994de0b295669a9fd93d5f28d9ec85e40f4cb697baef842a00000000000000000000000000000000000000000000000000000000000000003\
                a00000000000000000000000000000000000000000000000000000000000000007d694bb9bc244d798123fde783fcc1c72d3bb8c189413c0";
    assert_eq!(*unsigned, format!("{head}{}b83c{}{tail}", "ff".repeat(32), "ab".repeat(60)));
    let digest = &outputs("CT_PURE_KECCAK256_HASH_V0", &json!({ "input_bytes": unsigned }))["hash_hex"];
    assert_eq!(*digest, "0x1146d781917f4fe45d64b122dd3b3817dc7d0ee56a3d2cf610bfee06ef4e83f9");
    let signed = outputs("CT_PURE_ECDSA_SIGN_V0", &json!({ "message_hash": digest, "private_key_bytes": "46".repeat(32) }));
    assert_eq!(signed["r"], "0x36f5ee8bcbc04194f37df330e5bf0500c7fe190d3d2d70628894ebd077d3a91e");
    assert_eq!(signed["s"], "0x67b8be1d52af98f92d6cf210496b0bb47f24f343ec69c2d7d78870e06bbcbb25");
    assert_eq!(signed["v"], 1);
}

#[test]
fn absent_members_of_a_transaction_have_the_published_defaults() {
    let mut full = transaction();
    let brief = outputs("CT_PURE_BUILD_ETH_TRANSACTION_V0", &full);
    full["access_list"] = json!([]);
    full["data"] = json!("0x");
    full["gas_limit"] = json!(21_000);
    full["max_fee_per_gas"] = json!("20000000000");
    full["max_priority_fee_per_gas"] = json!("1000000000");
    assert_eq!(outputs("CT_PURE_BUILD_ETH_TRANSACTION_V0", &full), brief);
    full["gas_limit"] = json!(21_001);
    assert_ne!(outputs("CT_PURE_BUILD_ETH_TRANSACTION_V0", &full), brief);
}

#[test]
fn amounts_are_decimal_numbers_below_2_to_the_256() {
    let value = |value: &str| {
        let mut inputs = transaction();
        inputs["value"] = json!(value);
        inputs
    };
    let zero = outputs("CT_PURE_BUILD_ETH_TRANSACTION_V0", &value("0"));
    assert_eq!(outputs("CT_PURE_BUILD_ETH_TRANSACTION_V0", &value("000")), zero);
    // RLP has no leading zeros, so zero is the empty string: 0x80, here before empty data (0x80) and an empty list (0xc0).
    assert!(zero["unsigned_tx_bytes"].as_str().unwrap().ends_with("8080c0"));
    let over = "115792089237316195423570985008687907853269984665640564039457584007913129639936";
    for text in ["", " 1", "1 ", "+1", "-1", "0x1", "1e3", "1.0", "١", over, &"9".repeat(10_000)] {
        assert_refused("CT_PURE_BUILD_ETH_TRANSACTION_V0", &value(text));
    }
}

#[test]
fn transactions_that_no_chain_takes_are_refused() {
    for (name, value) in [
        ("to", json!("zz")),
        ("to", json!("")),
        ("to", json!("0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed")),
        ("value", json!(1)),
        ("value", json!(null)),
        ("chain_id", json!(0)),
        ("chain_id", json!("1")),
        ("nonce", json!(-1)),
        ("nonce", json!(u64::MAX)),
        ("gas_limit", json!(1.5)),
        ("data", json!("0xf")),
        ("max_fee_per_gas", json!("999999999")),
        ("max_priority_fee_per_gas", json!("20000000001")),
        ("access_list", json!({})),
        ("access_list", json!([[]])),
        ("access_list", json!([{ "storageKeys": [] }])),
        ("access_list", json!([{ "address": key(1), "storageKeys": [] }])),
        ("access_list", json!([{ "address": "0xde0b295669a9fd93d5f28d9ec85e40f4cb697bae", "storageKeys": ["0x00"] }])),
    ] {
        let mut inputs = transaction();
        inputs[name] = value;
        assert_refused("CT_PURE_BUILD_ETH_TRANSACTION_V0", &inputs);
    }
}

#[test]
fn inputs_that_are_no_object_are_refused() {
    for code in CODES {
        for inputs in [json!({}), json!([]), json!(null), json!(1)] {
            assert_refused(code, &inputs);
        }
    }
}

/// The published vectors and the steps of the published runs; `ENACT_PGS` names the folder that holds `transforms/` and `cases/`.
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
    let mut vectors = 0;
    for file in std::fs::read_dir(folder.join("transforms")).unwrap() {
        let path = file.unwrap().path();
        let code = path.file_stem().unwrap().to_str().unwrap().split_once("__").unwrap().1.to_owned();
        for vector in read(&path).as_array().unwrap().iter().filter(|_| CODES.contains(&code.as_str())) {
            vectors += 1;
            assert_eq!(outputs(&code, &vector["inputs"]), vector["expected"], "{}", vector["id"]);
        }
    }
    assert_eq!(vectors, 10, "vectors of the served codes");
    let mut steps = 0;
    for case in std::fs::read_dir(folder.join("cases")).unwrap() {
        let run = read(&case.unwrap().path().join("expected.json"));
        for step in run["steps"].as_array().into_iter().flatten() {
            let code = step["capability"].as_str().unwrap().rsplit("::").next().unwrap();
            if !CODES.contains(&code) {
                continue;
            }
            steps += 1;
            let answer = call(code, &step["inputs"]);
            assert_eq!(answer.status, step["result"]["result_status"], "{code}");
            if answer.status == "SUCCESS" {
                let mut expected = step["result"].clone();
                expected.as_object_mut().unwrap().remove("result_status");
                assert_eq!(serde_json::from_str::<Value>(&answer.outputs).unwrap(), expected, "{code}");
            }
        }
    }
    assert_eq!(steps, 21, "steps of the served codes");
}
