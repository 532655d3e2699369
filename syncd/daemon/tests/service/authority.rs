//! An authority that is not the hub's: a city's own, or a public one, with an intermediate one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair,
    SignatureAlgorithm,
};

/// A root and an intermediate authority.
pub struct Authority {
    root: Certificate,
    intermediate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Draws its keys.
    pub fn new(name: &str) -> Self {
        let authority = |name: String| {
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name.push(DnType::CommonName, name);
            params
        };
        let (root_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let params = authority(format!("{name}'s root"));
        let root = params.self_signed(&root_key).unwrap();
        let above = Issuer::new(params, root_key);
        let params = authority(name.to_owned());
        let intermediate = params.signed_by(&key, &above).unwrap();
        Self {
            root,
            intermediate,
            issuer: Issuer::new(params, key),
        }
    }

    /// The root in PEM.
    pub fn root_pem(&self) -> String {
        self.root.pem()
    }

    /// Writes a server's chain and key for 127.0.0.1, good for these days from now.
    pub fn write_pair(
        &self,
        chain: &Path,
        key_file: &Path,
        algorithm: &'static SignatureAlgorithm,
        days: std::ops::Range<i64>,
    ) {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let at = |days: i64| {
            let s = now.checked_add_signed(days * 86_400).unwrap();
            rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(s)
        };
        (params.not_before, params.not_after) = (at(days.start), at(days.end));
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        // The key first and at once readable by its owner alone, as an operator's tool does.
        fs::write(key_file, "").unwrap();
        fs::set_permissions(key_file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(key_file, key.serialize_pem()).unwrap();
        fs::write(chain, leaf.pem() + &self.intermediate.pem()).unwrap();
    }
}
