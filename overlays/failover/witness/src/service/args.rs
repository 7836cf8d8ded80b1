//! The command line of `geminios-witness`.

use std::ffi::OsString;
use std::path::PathBuf;

pub const HELP: &str = "\
geminios-witness: the third opinion of two-node sites

Two nodes that cannot hear each other ask a witness which of them may lead. It keeps one small register for each site, and
changes it only for whoever asks first. It may run anywhere that both nodes reach, but on neither of them, nor on what fails
together with one: a third machine of the site, a router, the head office. One process serves thousands of sites.

usage: geminios-witness VERB [OPTIONS]

on the witness:
  add-site NAME   make a register and a key for a new site, and print where; copy the key to both nodes,
                  then restart the service
      --dir DIR       folder of the registers  [/var/lib/geminios-witness]
      --sites DIR     folder of the keys       [/etc/geminios-witness]
  serve           answer the nodes of all sites
      --listen ADDR   address and port, such as 0.0.0.0:7401 or [::]:7401
      --dir DIR       folder of the registers  [/var/lib/geminios-witness]
      --sites PATH    folder with NAME.key for each site, or a file with a line `NAME KEY` for each  [/etc/geminios-witness]

anywhere, with a node's settings of its witness (TOML):
  read FILE       ask once and print what the register holds
  create FILE     make the register of a new site on an S3 store or in a shared folder

  -h, --help      print this
  -V, --version   print the version of this program

A first site, step by step:
  witness# geminios-witness add-site hut-7
  witness# geminios-witness serve --listen 0.0.0.0:7401
  node#    cat > witness.toml
           site = \"hut-7\"
           [service]
           address = \"witness.example.org:7401\"
           key = \"/etc/geminios/witness.key\"
  node#    geminios-witness read witness.toml

Back up the folder of the keys; do not restore an old copy of the registers. If they are lost, make them anew while each
site's leader runs. There is no TLS, and need not be: nothing is secret, each question and each answer is signed with the
site's key, and no certificate expires.

exit status: 0 done; 1 failed; 2 wrong arguments. A message says why.";

const DIR: &str = "/var/lib/geminios-witness";
const SITES: &str = "/etc/geminios-witness";

#[derive(Debug, PartialEq, Eq)]
pub enum Verb {
    Help,
    Version,
    Serve { listen: String, dir: PathBuf, sites: PathBuf },
    AddSite { name: String, dir: PathBuf, sites: PathBuf },
    Read(PathBuf),
    Create(PathBuf),
}

/// Understands a command line; the error says what is wrong with it.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Verb, String> {
    let (mut plain, mut listen, mut dir, mut sites) = (Vec::new(), None, None, None);
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let arg = arg.into_string().map_err(|arg| format!("`{}` is no text", arg.to_string_lossy()))?;
        let (name, joined) = match arg.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name.to_owned(), Some(value.to_owned())),
            _ => (arg, None),
        };
        let place = match name.as_str() {
            "-h" | "--help" => return Ok(Verb::Help),
            "-V" | "--version" => return Ok(Verb::Version),
            "--listen" => &mut listen,
            "--dir" => &mut dir,
            "--sites" => &mut sites,
            option if option.starts_with('-') => return Err(format!("there is no option `{option}`")),
            _ => {
                plain.push(name);
                continue;
            }
        };
        let value = joined.or_else(|| args.next()?.into_string().ok());
        if place.replace(value.ok_or_else(|| format!("{name} wants a value"))?).is_some() {
            return Err(format!("{name} is there twice"));
        }
    }
    let mut plain = plain.into_iter();
    let verb = plain.next().ok_or("a verb is missing")?;
    let has_folders = dir.is_some() || sites.is_some();
    let (dir, sites) = (dir.unwrap_or_else(|| DIR.to_owned()), sites.unwrap_or_else(|| SITES.to_owned()));
    let (dir, sites) = (PathBuf::from(dir), PathBuf::from(sites));
    let parsed = match (verb.as_str(), plain.next(), listen) {
        ("serve", None, Some(listen)) => Verb::Serve { listen, dir, sites },
        ("serve", None, None) => return Err("serve wants --listen ADDR".to_owned()),
        ("add-site", Some(name), None) => Verb::AddSite { name, dir, sites },
        ("add-site", None, None) => return Err("add-site wants a name".to_owned()),
        ("read", Some(file), None) if !has_folders => Verb::Read(file.into()),
        ("create", Some(file), None) if !has_folders => Verb::Create(file.into()),
        ("read" | "create", None, None) => return Err(format!("{verb} wants a file of settings")),
        ("serve" | "add-site" | "read" | "create", ..) => {
            return Err(format!("an argument of {verb} is too much"));
        }
        _ => return Err(format!("there is no verb `{verb}`")),
    };
    match plain.next() {
        Some(more) => Err(format!("`{more}` is too much")),
        None => Ok(parsed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Result<Verb, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn command_lines() {
        let (dir, sites) = (PathBuf::from(DIR), PathBuf::from(SITES));
        let listen = "[::]:1".to_owned();
        let expected = Verb::Serve { listen, dir: "/d".into(), sites: sites.clone() };
        assert_eq!(of("serve --listen [::]:1 --dir=/d"), Ok(expected));
        assert_eq!(of("add-site hut"), Ok(Verb::AddSite { name: "hut".to_owned(), dir, sites }));
        assert_eq!(of("read w.toml"), Ok(Verb::Read("w.toml".into())));
        assert_eq!(of("serve --help"), Ok(Verb::Help));
        for (line, said) in [
            ("", "a verb is missing"),
            ("serve", "serve wants --listen ADDR"),
            ("serve --listen", "--listen wants a value"),
            ("serve --listen a --listen b", "--listen is there twice"),
            ("serve hut --listen a", "an argument of serve is too much"),
            ("read a b", "`b` is too much"),
            ("read a --dir d", "an argument of read is too much"),
            ("dance", "there is no verb `dance`"),
            ("read --fast a", "there is no option `--fast`"),
        ] {
            assert_eq!(of(line), Err(said.to_owned()), "{line}");
        }
    }
}
