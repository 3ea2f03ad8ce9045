//! A server that offers TLS, with certificates of authorities that nobody else knows.
//!
//! Made with the `openssl` command, which PostgreSQL's package brings along.

use std::path::PathBuf;

use super::Server;

/// How certificates are made: an authority's own, and that of a server.
const CONFIG: &str = "[req]\ndistinguished_name = name\n[name]\n\
    [authority]\nbasicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign\n\
    [server]\nbasicConstraints = critical, CA:FALSE\nsubjectAltName = DNS:";

impl Server {
    /// From now on it offers TLS, with a certificate for a host by an authority that is new each time. Answers the file with the
    /// authority's own certificate. Connections without TLS are still taken.
    ///
    /// # Panics
    /// If the certificates cannot be made.
    pub fn offer_tls(&self, host: &str) -> PathBuf {
        let name = format!("authority-{:x}", rand::random::<u64>());
        let file = |suffix: &str| self.dir.join(format!("{name}.{suffix}")).display().to_string();
        let (authority, key, config) = (file("crt"), file("key"), file("cnf"));
        std::fs::write(&config, format!("{CONFIG}{host}\n")).expect("how certificates are made");
        let make = |subject: &str, extensions: &str, key: &str, certificate: &str, by: &[&str]| {
            let made = self
                .program_at("openssl")
                .args([
                    "req",
                    "-x509",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:P-256",
                ])
                .args(["-noenc", "-days", "2", "-config", &config])
                .args(["-subj", &format!("/CN={subject}"), "-extensions", extensions])
                .args(["-keyout", key, "-out", certificate])
                .args(by)
                .output()
                .expect("openssl runs");
            let said = String::from_utf8_lossy(&made.stderr);
            assert!(made.status.success(), "openssl: {said}");
        };
        make(&name, "authority", &key, &authority, &[]);
        // Where the server looks for them unless it is told otherwise.
        let (own, own_key) = (
            format!("{}/server.crt", self.data()),
            format!("{}/server.key", self.data()),
        );
        let by = ["-CA", &authority, "-CAkey", &key];
        make("server", "server", &own_key, &own, &by);
        self.set_tls("on");
        authority.into()
    }

    /// From now on it offers no TLS.
    ///
    /// # Panics
    /// If it does not answer.
    pub fn offer_no_tls(&self) {
        self.set_tls("off");
    }

    fn set_tls(&self, to: &str) {
        self.sql("postgres", &format!("ALTER SYSTEM SET ssl = {to}"))
            .expect("the server answers");
        self.read_settings_anew();
    }
}
